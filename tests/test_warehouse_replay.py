"""Replay of rejects: what was refused comes back in its place, once, after what refused it was mended."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.protocols import segment as segment_decoder
from ingest.record import CutBody, Request
from ingest.settings import DecodeSettings
from tests.examples import histories
from tests.stories import (
    NOON,
    NOON_US,
    SECOND_US,
    STAGES,
    VIEWS,
    Json,
    StoryLog,
    contents,
    device,
    event,
    load_story,
    login,
    native,
    new_warehouse,
    rows,
    segment,
    sensors,
    tracked,
    unbind,
)
from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.load import Loader
from warehouse.refresh import refresh_marts
from warehouse.replay import RejectChoice, ReplayReport, replay_rejects
from warehouse.warehouse import Warehouse

STRICT = DecodeSettings(max_name_chars=24)
MENDED = DecodeSettings()
LONG = "a name longer than twenty-four characters"
EVERYTHING = RejectChoice()
MARTS = ("daily_activity", "sales_path_daily", "acquisition_daily")


def loaded(log: StoryLog, settings: DecodeSettings = STRICT, **limits: Any) -> Warehouse:
    """A warehouse loaded while the settings refused too much."""
    warehouse = new_warehouse(**limits)
    load_more(warehouse, log, settings)
    return warehouse


def load_more(warehouse: Warehouse, log: StoryLog, settings: DecodeSettings = MENDED) -> None:
    Loader(warehouse, log.folder, settings).load_all()


def replayed(warehouse: Warehouse, log: StoryLog, choice: RejectChoice = EVERYTHING, **how: Any) -> ReplayReport:
    """Replay with the mended settings."""
    return replay_rejects(warehouse, Loader(warehouse, log.folder, MENDED), choice, **how)


def test_what_was_refused_comes_back_where_it_would_have_come(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(
        native(event("reach", device("d1"), NOON, plan="free"), event(LONG, device("d1") | login("u1"), NOON)),
        native(event("pay", login("u1"), NOON), b"{}"),
        sensors(tracked(LONG), tracked("reach")),
    )
    warehouse = loaded(log)
    assert rows(warehouse, "select reason, message_index from rejects order by log_order") == [
        ("name_too_long", 1),
        ("missing_event_name", 1),
        ("name_too_long", 0),
    ]
    report = replayed(warehouse, log)
    assert report == ReplayReport(tried=3, events=2, still_rejected={"missing_event_name": 1})
    assert contents(warehouse) == contents(load_story(log))
    assert replayed(warehouse, log) == ReplayReport(tried=1, still_rejected={"missing_event_name": 1})
    assert contents(warehouse) == contents(load_story(log))


def test_a_dry_run_says_what_would_come_back_and_changes_nothing(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(*(native(event(f"{LONG} {number}", device("d1"), NOON, **{f"p{number}": 1})) for number in range(5)))
    warehouse = loaded(log)
    before = contents(warehouse)
    narrow = replayed(warehouse, log, RejectChoice(event_name=f"{LONG} 3"), is_dry_run=True)
    assert narrow == ReplayReport(is_dry_run=True, tried=1, events=1)
    assert replayed(warehouse, log, is_dry_run=True) == ReplayReport(is_dry_run=True, tried=5, events=5)
    assert contents(warehouse) == before
    load_more(warehouse, log)
    assert replayed(warehouse, log).events == 5


def test_a_mended_decoder_brings_back_all_messages_of_a_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = StoryLog(tmp_path)
    log.tell(segment({**CALL, "messageId": "m1"}, {**CALL, "messageId": "m2"}, {"type": "nonsense"}))
    with monkeypatch.context() as broken:
        broken.setattr(segment_decoder, "_read_once", _fail)
        warehouse = loaded(log, MENDED)
    assert rows(warehouse, "select reason, message_index from rejects") == [("decoder_failed", 0)]
    report = replayed(warehouse, log)
    assert report == ReplayReport(tried=1, events=2, still_rejected={"unknown_record_type": 1})
    assert contents(warehouse) == contents(load_story(log))


CALL = {"type": "track", "event": "reach", "anonymousId": "d1", "timestamp": NOON.isoformat()}


def _fail(*_arguments: object) -> None:
    raise ZeroDivisionError("a defect of ours")


def test_a_resend_accepted_meanwhile_stays_one_event(tmp_path: Path) -> None:
    """What came first is the event, with a key and without one."""
    log = StoryLog(tmp_path)
    keyed, plain = {**event(LONG, device("d1"), NOON), "dedupe_key": "k1"}, event(LONG, device("d2"), NOON)
    log.tell(native(keyed, plain))
    warehouse = loaded(log)
    log.tell(native(keyed, plain), start_us=NOON_US + 60 * SECOND_US)
    load_more(warehouse, log)
    assert replayed(warehouse, log) == ReplayReport(tried=2, events=2, resends=2)
    assert contents(warehouse) == contents(load_story(log))


def test_a_body_cut_for_size_cannot_come_back(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(Request("POST", "/events", "", {}, "203.0.113.7", b"[{", CutBody(9_000_000, "ab" * 32)))
    warehouse = loaded(log)
    assert replayed(warehouse, log) == ReplayReport(tried=1, still_rejected={"body_too_large": 1})


def test_a_reject_whose_log_file_is_gone_stays(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(event(LONG, device("d1"), NOON)))
    warehouse = loaded(log)
    for path in (tmp_path / "collector").iterdir():
        path.unlink()
    assert replayed(warehouse, log) == ReplayReport(tried=1, gone=1)
    assert len(rows(warehouse, "from rejects")) == 1


def test_what_comes_back_before_the_freeing_of_an_identity_is_of_its_past(tmp_path: Path) -> None:
    """A login paid, was given up, and came anew: the lesson that comes back was the first one's."""
    log = StoryLog(tmp_path)
    log.tell(
        native(event("pay", login("u1"), NOON)),
        native(event(LONG, login("u1"), NOON)),
        unbind(login("u1")),
        native(event("pay", login("u1"), NOON, n=2)),
    )
    warehouse = loaded(log)
    assert replayed(warehouse, log) == ReplayReport(tried=1, events=1)
    assert rows(warehouse, "select count(*) from events group by person_id order by all") == [(1,), (3,)]
    assert contents(warehouse) == contents(load_story(log))


def test_originals_beyond_the_budget_are_emptied_oldest_first(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(*(native(f'{{"event_name": "{number}"}}'.encode()) for number in range(5)))
    one = len(b'{"event_name": "0"}')
    warehouse = loaded(log, max_rejects_bytes=2 * one + 1, load_max_messages=1)
    found = rows(warehouse, "select original, is_original_dropped, original_length from rejects order by log_order")
    assert found == [(None, True, one)] * 3 + [
        (b'{"event_name": "3"}', False, one),
        (b'{"event_name": "4"}', False, one),
    ]
    assert contents(warehouse) == contents(loaded(log, max_rejects_bytes=2 * one + 1))


@pytest.mark.parametrize("stopped_after", [0, 1, 2])
def test_a_replay_that_was_stopped_is_run_again(tmp_path: Path, stopped_after: int) -> None:
    """Each batch is one transaction; a stop inside the next one undoes that one alone."""
    log = StoryLog(tmp_path)
    log.tell(*(native(event(LONG, device(f"d{number % 2}") | login("u1"), NOON, n=number)) for number in range(4)))
    warehouse, decoded = loaded(log, load_max_messages=1), list[None]()

    def decode_until_stopped(request: BatchRequest) -> DecodedBatch:
        if len(decoded) == stopped_after:
            raise KeyboardInterrupt
        decoded.append(None)
        return decode_batch(request)

    with pytest.raises(KeyboardInterrupt):
        replay_rejects(warehouse, Loader(warehouse, log.folder, MENDED, decode=decode_until_stopped), EVERYTHING)
    assert rows(warehouse, "select count(*) from events")[0][0] <= stopped_after
    replayed(warehouse, log)
    assert contents(warehouse) == contents(load_story(log))


# Random streams

TEMPLATES = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(["reach", "pay", LONG, LONG, "another " + LONG, None]),
        "identities": st.fixed_dictionaries(
            {},
            optional={
                ANONYMOUS_ID: st.sampled_from(["d1", "d2", "d3"]),
                LOGIN_ID: st.sampled_from(["u1", "u2", LONG]),
                "$identity_mobile": st.sampled_from(["138", "139"]),
            },
        ),
        "event_at": st.sampled_from([None, "2026-10-30T08:00:00Z", "2026-10-31T20:00:00Z", "2026-11-02T01:00:00Z"]),
        "account_id": st.sampled_from([None, None, "school-1", "school-2"]),
        "record_type": st.sampled_from(["track", "track", "identify", "group"]),
        "properties": st.fixed_dictionaries({}, optional={"plan": st.sampled_from(["free", "paid"])}),
    }
)
POOLS = st.lists(st.tuples(TEMPLATES, st.booleans()), min_size=2, max_size=6)
GAPS = st.sampled_from([1, 20, 5000])  # seconds; resends within a cluster, which is shorter than the window
STEPS = st.tuples(GAPS, st.sampled_from(["a", "a", "b"]), st.lists(st.integers(0, 5), min_size=1, max_size=3))
STREAMS = st.lists(STEPS, min_size=2, max_size=7)
FEW = histories(3)


def messages_of(pool: list[tuple[Json, bool]]) -> list[Json]:
    """The messages that a story sends again and again; a key stands for one content, and for one time."""
    return [
        {**message, "sdk": f"sdk {number}"} | ({"dedupe_key": f"k{number}"} if is_keyed and message["event_at"] else {})
        for number, (message, is_keyed) in enumerate(pool)
    ]


def tell(log: StoryLog, steps: list[tuple[int, str, list[int]]], sent: list[Json]) -> Iterator[None]:
    """Append the requests one by one."""
    for at_s, (_, stream, numbers) in zip(accumulate(gap for gap, _, _ in steps), steps, strict=True):
        request = native(*(sent[number % len(sent)] for number in numbers))
        log.append(request, NOON_US + at_s * SECOND_US, f"collector-{stream}")
        yield


@FEW
@given(POOLS, STREAMS, st.integers(0, 7), st.booleans())
def test_a_replay_gives_what_a_rebuild_gives(
    pool: list[tuple[Json, bool]], steps: list[Any], mended_after: int, is_narrow: bool
) -> None:
    """The settings are mended in the middle of the story: what was refused before may be sent again and accepted."""
    with TemporaryDirectory() as folder:
        log, warehouse = StoryLog(Path(folder)), new_warehouse(load_max_messages=3)
        refresh_marts(warehouse, STAGES)
        for number, _ in enumerate(tell(log, steps, messages_of(pool))):
            load_more(warehouse, log, STRICT if number < mended_after else MENDED)
        refresh_marts(warehouse, STAGES)
        if is_narrow:
            replayed(warehouse, log, RejectChoice(event_name=LONG))
        replayed(warehouse, log)
        rebuilt = load_story(log)
        refresh_marts(rebuilt, STAGES)
        assert not refresh_marts(warehouse, STAGES).is_rebuild
        for view in (*VIEWS, *MARTS):
            assert contents(warehouse, [view]) == contents(rebuilt, [view]), view
