"""Erasing from the log: one person's messages go, whatever they came in; all others stay where they stood."""

import base64
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from ingest.decode import decode
from ingest.erasure.mentions import mentions
from ingest.erasure.sweeping import SweepReport, sweep
from ingest.log import erasing
from ingest.log.erasing import EraseStage
from ingest.log.files import list_files, read_records
from ingest.log.frame import FrameKind
from ingest.log.frame_file import Broken, FrameFile
from ingest.log.sealing import seal_stream
from ingest.log.writer import LogWriter
from ingest.message import ANONYMOUS_ID, LOGIN_ID, Message, Reject
from ingest.protocols.mapping import MessageMapping, Webhook
from ingest.protocols.mapping import Path as JsonPath
from ingest.record import Act, CutBody, Damage, Position, Record, Request
from ingest.settings import DecodeSettings
from tests.forgetting import deletions_of, eraser_of, found_in, pair
from tests.stories import (
    NOON,
    NOON_MS,
    NOON_US,
    FixedClock,
    Json,
    StoryLog,
    device,
    event,
    get,
    login,
    native,
    post,
    retraction,
    segment,
    sensors,
    tracked,
)

ANNA = (pair(LOGIN_ID, "anna-login"), pair(ANONYMOUS_ID, "anna-device"))
HOOKS = DecodeSettings(
    webhooks=(
        Webhook(
            "crm",
            (
                MessageMapping(
                    event_name=JsonPath("@.kind"),
                    items=JsonPath("$.leads[*]"),
                    identities=((LOGIN_ID, JsonPath("@.login")),),
                    properties=(("note", JsonPath("@.note")),),
                ),
            ),
        ),
    )
)


def contents(log: Path, settings: DecodeSettings | None = None) -> dict[tuple[Position, int], Message | Reject]:
    """Every message and reject of the log by its place and arrival: a slow reading of all of it."""
    found: dict[tuple[Position, int], Message | Reject] = {}
    for stream in sorted(path.name for path in log.iterdir() if path.is_dir()):
        for position, _, entry in read_records(log, stream, 0, 0, 1 << 60):
            assert isinstance(entry, Record)
            decoded = decode(entry, settings or DecodeSettings())
            whats: list[Message | Reject] = [*decoded.messages, *decoded.rejects]
            for each in whats:
                found[position._replace(message_index=each.index), entry.received_at_us] = each
    return found


def sealed(log: StoryLog) -> Path:
    seal_stream(log.folder, "collector")
    return log.folder


def erase(log: Path, settings: DecodeSettings | None = None, **how: Any) -> SweepReport:
    deletions = deletions_of(log, *ANNA, settings=settings)
    return sweep(log, deletions, eraser_of(deletions, settings), **how)


def is_annas(what: Message | Reject) -> bool:
    return "anna" in repr(what)


def check_only_anna_goes(log: Path, settings: DecodeSettings | None = None) -> None:
    before = contents(log, settings)
    assert any(map(is_annas, before.values()))
    ends = [(position, end) for position, end, _ in read_records(log, "collector", 0, 0, 1 << 60)]
    erase(log, settings)
    assert contents(log, settings) == {place: what for place, what in before.items() if not is_annas(what)}
    assert [(position, end) for position, end, _ in read_records(log, "collector", 0, 0, 1 << 60)] == ends
    assert found_in(log, ["anna-login", "anna-device", "anna-secret"]) == {}


def test_in_a_native_batch_only_her_messages_go_in_every_form_it_comes_in(tmp_path: Path) -> None:
    ben, anna = event("lesson", login("ben"), NOON, room=1.0), event("lesson", login("anna-login"), NOON, room=2)
    keyless: list[Json | bytes] = [
        event("lesson", login("ben")),
        event("anna-secret", device("anna-device")),
        b'{"event_name": NaN}',
    ]
    lines = b"\n".join([json.dumps(anna).encode(), b"no JSON at all", json.dumps(ben, indent=None).encode()])
    pretty = json.dumps([ben, anna, ben], indent=2).encode()
    log = StoryLog(tmp_path)
    log.tell(
        native(ben, anna, ben),
        native(*keyless),
        post("/events", lines),
        post("/events", pretty),
        Request(
            "POST", "/events", "write_key=k&anna-secret=1", {"content-encoding": "gzip"}, "ip", gzip.compress(pretty)
        ),
        native(anna),
        native(ben),
    )
    check_only_anna_goes(sealed(log))


def test_in_a_segment_batch_only_her_calls_go_and_the_time_of_sending_still_counts(tmp_path: Path) -> None:
    calls = [
        {"type": "track", "event": "open", "userId": who, "messageId": f"m{n}", "timestamp": NOON.isoformat()}
        for n, who in enumerate(["ben", "anna-login", "cleo", "anna-login"])
    ]
    identify = {"type": "identify", "userId": "anna-login", "traits": {"name": "anna-secret"}}
    alias = {"type": "alias", "userId": "anna-login", "previousId": "anna-device"}
    log = StoryLog(tmp_path)
    log.tell(
        segment(*calls, sentAt="2026-11-02T03:00:00.000Z", writeKey="k", context={"who": "anna-secret"}),
        segment(identify, alias),
        post("/v1/track", json.dumps(calls[1]).encode()),
        segment(calls[0]),
    )
    check_only_anna_goes(sealed(log))


def test_in_sensors_forms_and_images_only_her_events_go(tmp_path: Path) -> None:
    ben, anna = tracked("open", "ben"), tracked("open", "anna-device", anna="anna-secret")
    signup = {"type": "track_signup", "event": "$SignUp", "distinct_id": "anna-login", "original_id": "anna-device",
              "time": NOON_MS, "properties": {}}  # fmt: skip
    image = base64.b64encode(json.dumps(anna).encode()).decode()
    log = StoryLog(tmp_path)
    log.tell(
        sensors(ben, anna, ben, signup),
        post("/sa", b"data_list=" + quote(base64.b64encode(json.dumps([anna, ben]).encode())).encode() + b"&token=t"),
        get("/sa.gif", f"project=default&data={quote(image)}&ext=crc%3D12"),
        get("/sa.gif", f"data={quote(base64.b64encode(json.dumps(ben).encode()))}"),
    )
    check_only_anna_goes(sealed(log))


def test_a_webhook_that_cannot_be_taken_apart_keeps_what_the_others_decoded_to(tmp_path: Path) -> None:
    leads = [
        {"kind": "lead", "login": who, "note": f"{who}-secret", "n": 2**70} for who in ("ben", "anna-login", "cleo")
    ]
    log = StoryLog(tmp_path)
    log.tell(post("/webhook/crm", json.dumps({"leads": leads, "by": "anna-secret"}).encode()))
    check_only_anna_goes(sealed(log), HOOKS)
    [(_, _, entry)] = read_records(tmp_path, "collector", 0, 0, 1 << 60)
    assert isinstance(entry, Record)
    assert entry.erased is not None
    assert entry.request is None
    assert entry.erased.indexes == (1,)


def test_what_was_refused_goes_when_it_mentions_her_however_it_is_packed(tmp_path: Path) -> None:
    garbled = gzip.compress(json.dumps([tracked("open", "anna-device", pad=os.urandom(900).hex())]).encode())[:-200]
    log = StoryLog(tmp_path)
    log.tell(
        native(b'{"event_name": 7, "who": "\\u0061nna-login"}', event("open", login("ben"))),
        post("/sa", b"data_list=" + quote(base64.b64encode(garbled)).encode()),
        post("/events", b"not JSON, and of anna-login"),
        Request("POST", "/events", "", {}, "ip", b'{"who": "anna-login", "long": ...', CutBody(9_000_000, "0" * 64)),
        Request("POST", "/events", "", {"referer": "https://school/?uid=anna-login"}, "ip", b"[]"),
        post("/events", b"not JSON, and of joanna-login"),
    )
    sealed(log)
    erase(tmp_path)
    left = contents(tmp_path)
    assert [position.message_index for position, _ in left] == [1, 0]
    [_, of_joanna] = left.values()
    assert isinstance(of_joanna, Reject)
    assert of_joanna.original.endswith(b"joanna-login")
    assert found_in(tmp_path, ["\\u0061nna-login", "of anna-login", "anna-device", "uid=anna-login"]) == {}


def test_a_value_that_others_send_too_is_theirs_and_stays(tmp_path: Path) -> None:
    # Ben logs in on the tablet that Anna had: his login is refused there, and the tablet is in both their messages.
    log = StoryLog(tmp_path)
    log.tell(
        native(event("open", device("anna-device") | login("anna-login"))),
        native(event("open", device("anna-device") | login("ben"))),
        native(event("open", device("anna-device"))),
    )
    sealed(log)
    erase(tmp_path)
    [message] = contents(tmp_path).values()
    assert isinstance(message, Message)
    assert [each.value for each in message.identities] == ["anna-device", "ben"]


def test_operators_acts_lose_her_values_but_stay(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.append(native(event("open", login("anna-login"))))
    log.append(retraction(login("anna-login"), device("tablet")), stream="operator")
    sealed(log)
    seal_stream(tmp_path, "operator")
    erase(tmp_path)
    [(_, _, entry)] = read_records(tmp_path, "operator", 0, 0, 1 << 60)
    assert isinstance(entry, Record)
    assert entry.act is not None
    assert entry.act.details == {
        "left": {"key": LOGIN_ID, "value": ""},
        "right": {"key": ANONYMOUS_ID, "value": "tablet"},
    }


def test_a_body_that_grows_is_moved_behind_the_records_and_can_be_erased_again(tmp_path: Path) -> None:
    # Packed with something better than gzip, as it were: what is left of it does not fit where it stood.
    noise = [os.urandom(100).hex() for _ in range(2)]
    whole = json.dumps(
        [event(noise[0], login("ben")), event("x", login("anna-login")), event(noise[1], login("cleo"))]
    ).encode()
    log = StoryLog(tmp_path)
    log.tell(post("/events", whole), native(event("open", login("dan"))))
    folder = sealed(log)
    before = contents(folder)
    grown = []

    def unpacked(position: Position, record: Record) -> Record:
        rest = eraser_of(deletions_of(folder, *ANNA)).rest_of(position, record)
        if rest.request is not None and rest is not record:
            rest = msgspec.structs.replace(
                rest, request=msgspec.structs.replace(rest.request, headers={"user-agent": "grown " * 200})
            )
            grown.append(position)
        return rest

    [log_file] = list_files(folder / "collector")
    changes = erasing.find_changes(log_file, unpacked, lambda _data: False)
    erasing.write_changes(changes)
    assert len(grown) == 1
    with FrameFile(log_file.path) as frames:
        assert [each.kind for each in frames.frames() if not isinstance(each, Broken)][-2:] == [
            FrameKind.MOVED,
            FrameKind.SEAL,
        ]
    assert contents(folder) == {place: what for place, what in before.items() if not is_annas(what)}
    cleo = deletions_of(folder, pair(LOGIN_ID, "cleo"))
    sweep(folder, cleo, eraser_of(cleo))
    assert contents(folder) == {
        place: what for place, what in before.items() if not is_annas(what) and "cleo" not in repr(what)
    }
    assert found_in(folder, [noise[1], "anna-login", "cleo"]) == {}


def story(folder: Path) -> None:
    writer = LogWriter(folder, "collector", max_file_bytes=600, clock_us=FixedClock())
    for number in range(12):
        who = ("ben", "anna-login", "cleo")[number % 3]
        writer.append(native(event("open", login(who), n=number), event("close", login("ben"))))
    writer.close()


class Killed(BaseException):
    """As a SIGKILL: nothing is caught on its way."""


@pytest.mark.parametrize("stage", ["written", "renamed"])
def test_killed_in_the_middle_of_a_rewriting_it_is_run_again(tmp_path: Path, stage: EraseStage) -> None:
    story(tmp_path)
    before = contents(tmp_path)
    kills = iter(range(100))

    def die(reached: EraseStage) -> None:
        if reached == stage and next(kills) < 3:
            raise Killed

    for _ in range(3):
        with pytest.raises(Killed):
            erase(tmp_path, observe=die)
        assert {place: what for place, what in contents(tmp_path).items() if not is_annas(what)} == {
            place: what for place, what in before.items() if not is_annas(what)
        }
    erase(tmp_path, observe=die)
    assert contents(tmp_path) == {place: what for place, what in before.items() if not is_annas(what)}
    assert found_in(tmp_path, ["anna-login"]) == {}
    assert not list(tmp_path.rglob("*.erasing"))


def test_a_restored_file_is_swept_again_and_what_is_swept_is_not_read_again(tmp_path: Path) -> None:
    story(tmp_path)
    deletions = deletions_of(tmp_path, *ANNA)
    old = {each.path: each.path.read_bytes() for each in list_files(tmp_path / "collector")}
    first = sweep(tmp_path, deletions, eraser_of(deletions))
    assert first.searched == len(old)
    assert 0 < first.rewritten <= len(old)
    assert sweep(tmp_path, deletions, eraser_of(deletions)) == SweepReport()
    restored = next(path for path, data in old.items() if data != path.read_bytes())
    restored.write_bytes(old[restored])
    assert sweep(tmp_path, deletions, eraser_of(deletions)) == SweepReport(searched=1, rewritten=1)
    assert found_in(tmp_path, ["anna-login"]) == {}


def test_a_running_collector_is_asked_to_seal_its_file(tmp_path: Path) -> None:
    clock = FixedClock()
    writer = LogWriter(tmp_path, "collector", clock_us=clock)
    writer.append(native(event("open", login("anna-login"))))
    deletions = deletions_of(tmp_path, *ANNA, until_us=NOON_US)
    clock.now_us += 1_000_000
    sweep(tmp_path, deletions, eraser_of(deletions))
    writer.append(native(event("open", login("anna-login"), again=True)))  # she comes back
    assert sweep(tmp_path, deletions, eraser_of(deletions)).rewritten == 0
    writer.close()
    [message] = contents(tmp_path).values()
    assert isinstance(message, Message)
    assert message.properties == {"again": True}


def test_damaged_and_torn_bytes_that_mention_her_are_gone_too(tmp_path: Path) -> None:
    story(tmp_path)
    first = list_files(tmp_path / "collector")[0]
    data = bytearray(first.path.read_bytes())
    data[data.find(b"anna-login") - 3] ^= 0xFF  # the frame fails its checksum, and her name stands in it
    first.path.write_bytes(data)
    (tmp_path / "collector" / "000000000099.torn").write_bytes(b"half a frame of anna-login")
    (tmp_path / "collector" / "000000000098.torn").write_bytes(b"half a frame of ben")
    erase(tmp_path)
    assert found_in(tmp_path, ["anna-login"]) == {}
    entries = [entry for _, _, entry in read_records(tmp_path, "collector", 0, 0, 1 << 60)]
    assert sum(isinstance(entry, Damage) for entry in entries) == 1
    assert [path.name for path in tmp_path.rglob("*.torn")] == ["000000000098.torn"]


def packings(text: str) -> Iterator[bytes]:
    yield text.encode()
    yield json.dumps({"who": text}).encode()
    yield json.dumps({"who": text}, ensure_ascii=False).encode()[:-1]
    yield json.dumps([{"who": {"is": [text]}}]).encode()
    yield gzip.compress(json.dumps({"a": text, "b": os.urandom(900).hex()}).encode())[:-300]
    yield b"data=" + quote(base64.b64encode(json.dumps({"who": text}).encode())).encode() + b"&x=1"
    yield b"data=" + base64.b64encode(gzip.compress(json.dumps({"who": text}).encode()))
    yield b"who=" + quote(text).encode() + b"&x=1"


@pytest.mark.parametrize(
    "text", ["anna", "小明", "anna@school.example", "a8f5f167f44f4964e6c998dee827110c", "13800138000"]
)
def test_a_mention_is_found_in_every_packing(text: str) -> None:
    for packed in packings(text):
        assert text in set(mentions(packed)), packed


def test_a_part_of_a_word_is_no_mention() -> None:
    assert "anna" not in set(mentions(b'{"who": "joanna", "n": 113800138000}'))
    assert "13800138000" in set(mentions(b'{"who": 13800138000}'))


def test_the_act_itself_is_never_touched(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    act = Act("set_plan", "anna-login", {"plan": {"who": "anna-login"}})
    log.append(native(event("open", login("anna-login"))))
    log.append(act, stream="operator")
    sealed(log)
    seal_stream(tmp_path, "operator")
    erase(tmp_path)
    [(_, _, entry)] = read_records(tmp_path, "operator", 0, 0, 1 << 60)
    assert isinstance(entry, Record)
    assert entry.act == act
