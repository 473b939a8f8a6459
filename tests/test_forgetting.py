"""Forgetting a person: after a deletion nothing that only they had is in any file, and nobody else has changed."""

import base64
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner, Result

from api import forgetting, offline, rebuilding
from api.cli import app
from api.errors import ApiError
from api.forgetting import Preview, open_warehouse
from api.settings import Settings, read_settings
from ingest.log.files import list_files
from ingest.log.sealing import seal_stream
from ingest.record import Act, Request
from tests.forgetting import found_in
from tests.stories import (
    NOON,
    NOON_MS,
    NOON_US,
    SECOND_US,
    Json,
    StoryLog,
    device,
    event,
    get,
    login,
    mobile,
    native,
    post,
    retraction,
    segment,
    sensors,
    tracked,
    unbind,
)
from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.rebuild import kept_path

# Values that nobody but Anna has, in identities and properties; and such as others have.
ANNAS = (
    "anna-login",
    "annas-phone",
    "anna-device-1",
    "anna-device-2",
    "13900000001",
    "annas-wish",
    "annas-trait",
    "Annas Straße 1 🎉",
    "only_anna_fills_this",
    "198.51.100.77",
    "annas-school",
    "AnnaBrowser",
    "annas-refused",
)
OTHERS = ("ben", "cleo", "tablet", "公立学校")
HOOK = """
messages:
  - items: "$.leads[*]"
    event_name: "@.kind"
    identities: {$identity_login_id: "@.login"}
    properties: {note: "@.note"}
"""
OF_OTHERS = """
select 'event', event_id::varchar, person_id::varchar, log_order, event_name, properties::varchar, account_id
from events where person_id::varchar <> $anna
union all
select 'call', call_id::varchar, person_id::varchar, log_order, record_type, changes, account_id
from calls where person_id is null or person_id::varchar <> $anna
order by log_order
"""


def image(message: dict[str, Any]) -> Request:
    data = quote(base64.b64encode(json.dumps(message).encode()))
    return get("/sa.gif", f"data={data}&ext=crc%3D1")


def from_annas_phone(path: str, body: bytes) -> Request:
    return Request("POST", path, "", {"user-agent": "AnnaBrowser/1.0"}, "198.51.100.77", body)


def life() -> list[Request]:
    """Anna and others over all families: devices, a login, a shared tablet, resends, refusals, batches of a backend."""
    signup = {"type": "track_signup", "event": "$SignUp", "distinct_id": "anna-login", "original_id": "anna-device-1",
              "time": NOON_MS, "properties": {}, "_track_id": 7}  # fmt: skip
    keyed = event("pay", login("anna-login"), NOON, wish="annas-wish", amount=5) | {"dedupe_key": "order-1"}
    calls: list[Json] = [
        {"type": "identify", "userId": "anna-login", "anonymousId": "anna-device-2", "messageId": "i1",
         "traits": {"home": "Annas Straße 1 🎉", "kind": "annas-trait"}},
        {"type": "track", "event": "lesson", "userId": "ben", "messageId": "t1", "timestamp": NOON.isoformat()},
        {"type": "group", "userId": "anna-login", "groupId": "annas-school", "messageId": "g1"},
        {"type": "group", "userId": "ben", "groupId": "公立学校", "messageId": "g2", "traits": {"city": "上海"}},
        {"type": "alias", "userId": "cleo", "previousId": "cleos-phone", "messageId": "a1"},
    ]  # fmt: skip
    leads = {"leads": [{"kind": "lead", "login": who, "note": f"{who}s-wish"} for who in ("anna", "ben", "cleo")]}
    leads["leads"][0] = {"kind": "lead", "login": "anna-login", "note": "annas-wish"}
    return [
        sensors(tracked("open", "anna-device-1", only_anna_fills_this=1), tracked("open", "bens-phone")),
        sensors(signup),
        image(tracked("look", "anna-device-1", properties={"only_anna_fills_this": "annas-wish"})),
        from_annas_phone("/events", json.dumps(event("open", device("annas-phone") | login("anna-login"))).encode()),
        native(event("lesson", login("ben"), NOON, room="a"), keyed, event("lesson", login("cleo"), NOON, room="b")),
        native(keyed),  # a resend
        segment(*calls, sentAt="2026-11-02T04:00:00Z"),
        native(event("open", device("tablet") | login("anna-login"))),  # the tablet is Anna's first
        native(event("open", device("tablet") | login("ben"))),  # refused: she has another login
        native(event("open", device("tablet") | login("cleo"))),
        native(event("open", device("tablet"), NOON, wish="annas-wish")),
        native(event("call", mobile("13900000001") | login("anna-login"))),
        native({"event_name": 7, "identities": login("anna-login"), "wish": "annas-refused"}, event("x", login("ben"))),
        post("/events", b"cut off: {'who': 'anna-login', 'wish': 'annas-refused"),
        post("/events", b"cut off: {'who': 'joanna', 'wish': 'nothing"),
        post("/webhook/crm", json.dumps(leads).encode()),
        native(event("lesson", login("ben"), NOON, room="a")),
        Request("POST", "/events", "uid=anna-login", {}, "203.0.113.7", b"[]"),
    ]


class DecoderHere:
    """Decodes in this process: starting a child for each rebuild of a dozen records would take minutes."""

    def __call__(self, request: BatchRequest) -> DecodedBatch:
        return decode_batch(request)

    def close(self) -> None:
        """There is no child to end."""


@pytest.fixture(autouse=True)
def _decode_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (forgetting, offline, rebuilding):
        monkeypatch.setattr(module, "DecoderProcess", DecoderHere)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "data", life())


def folder_of(folder: Path, entries: Sequence[Request | Act]) -> Path:
    """A data folder in which this has arrived and is loaded."""
    read_settings(folder)
    (folder / "webhooks").mkdir()
    (folder / "webhooks" / "crm.yaml").write_text(HOOK, encoding="utf-8")
    log = StoryLog(folder / "log")
    for number, entry in enumerate(entries):
        log.append(entry, NOON_US + number * SECOND_US, "operator" if isinstance(entry, Act) else "collector")
    seal_stream(folder / "log", "operator")
    run(folder, "load", "--once")
    return folder


def run(folder: Path, *command: str, status: int = 0, stdin: str | None = None) -> str:
    result: Result = CliRunner().invoke(app, [*command, "--data", str(folder)], input=stdin)
    assert result.exit_code == status, (result.output, result.exception)
    return result.output


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    warehouse = open_warehouse(read_settings(folder))
    try:
        with warehouse.snapshot() as snapshot:
            return [tuple(row.values()) for row in snapshot.query(sql).to_pylist()]
    finally:
        warehouse.close()


def person_of(folder: Path, key: str, value: str) -> str:
    [(person_id,)] = ask(
        folder,
        f"select person_id::varchar as p from identities where identity_key = '{key}' and identity_value = '{value}'",
    )
    return str(person_id)


def of_others(folder: Path, anna: str) -> list[tuple[Any, ...]]:
    """Every event and call of others with id, person, place and properties (in the order of their names)."""
    rows = ask(folder, OF_OTHERS.replace("$anna", f"'{anna}'"))
    return [tuple(_sorted(each) if index == 5 else each for index, each in enumerate(row)) for row in rows]


def _sorted(struct: str | None) -> str | None:
    if struct is None or "': " not in struct:
        return struct
    return ", ".join(sorted(part for part in struct[1:-1].split(", ") if not part.endswith("NULL")))


def delete(folder: Path, who: str = "$identity_login_id=anna-login") -> str:
    return run(folder, "person", "delete", who, "--yes")


def test_after_a_deletion_nothing_of_hers_is_in_any_file_and_nobody_else_has_changed(data: Path) -> None:
    assert set(found_in(data, ANNAS)) == set(ANNAS)
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    assert len(before) > 10
    told = delete(data)
    assert f"Person {anna} is gone" in told
    assert "not as before" not in told
    assert found_in(data, ANNAS) == {}
    assert set(found_in(data, OTHERS)) == set(OTHERS)
    assert of_others(data, anna) == before
    assert ask(data, f"select count(*) as n from events where person_id::varchar = '{anna}'") == [(0,)]


def test_nothing_comes_back_by_a_rebuild_or_a_restart(data: Path) -> None:
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    delete(data)
    run(data, "replay", "--check")
    run(data, "replay", "--all", "--no-keep")
    run(data, "load", "--once")
    assert of_others(data, anna) == before
    assert found_in(data, ANNAS) == {}


def test_an_older_log_file_that_is_restored_is_erased_again(data: Path, tmp_path: Path) -> None:
    seal_stream(data / "log", "collector")
    shutil.copytree(data / "log" / "collector", tmp_path / "backup")
    delete(data)
    for path in (tmp_path / "backup").glob("*.log"):
        shutil.copy2(path, data / "log" / "collector" / path.name)
    assert found_in(data, ANNAS) != {}
    run(data, "sql", "select 1")
    assert found_in(data, ANNAS) == {}


def test_an_older_warehouse_that_is_restored_is_rebuilt(data: Path, tmp_path: Path) -> None:
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    shutil.copy2(data / "default.duckdb", tmp_path / "backup.duckdb")
    delete(data)
    shutil.copy2(tmp_path / "backup.duckdb", data / "default.duckdb")
    assert ask(data, "select count(*) as n from identities where identity_value = 'anna-login'") == [(0,)]
    assert of_others(data, anna) == before
    assert found_in(data, ANNAS) == {}


def test_an_older_log_and_warehouse_forget_again_by_the_ledger(data: Path, tmp_path: Path) -> None:
    seal_stream(data / "log", "collector")
    shutil.copytree(data, tmp_path / "backup")
    delete(data)
    shutil.rmtree(data / "log")
    shutil.copytree(tmp_path / "backup" / "log", data / "log")
    shutil.copy2(tmp_path / "backup" / "default.duckdb", data / "default.duckdb")
    assert found_in(data, ANNAS) != {}
    run(data, "load", "--once")
    assert found_in(data, ANNAS) == {}
    [(details,)] = ask(data, "select details from acts where act = 'delete_person'")
    assert "until_us" in details


class Killed(BaseException):
    """As a SIGKILL: nothing is caught on its way."""


@pytest.mark.parametrize("step", ["erase_from_log", "rebuild_warehouse"])
def test_a_deletion_that_is_killed_is_finished_by_the_next_start(
    data: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    settings = read_settings(data)
    preview = previewed(settings)

    def die(*_arguments: Any, **_named: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, step, die)
        with pytest.raises(Killed):
            forgetting.delete_person(settings, preview, "head office", ignore, lambda _behind, _report: None)
    run(data, "load", "--once")
    assert found_in(data, ANNAS) == {}
    assert ask(data, "select act, operator from acts where act = 'delete_person'") == [("delete_person", "head office")]


def previewed(settings: Settings, who: str = "$identity_login_id=anna-login") -> Preview:
    return forgetting.preview_deletion(settings, who, ignore)


def ignore(_byte_count: int) -> None:
    """Nobody wants to know."""


def test_earlier_copies_of_the_warehouse_go_too(data: Path) -> None:
    run(data, "replay", "--all")
    kept = kept_path(data / "default.duckdb")
    assert kept.exists()
    delete(data)
    assert not kept.exists()
    assert found_in(data, ANNAS) == {}


def test_whom_only_she_kept_apart_are_not_joined_by_the_tablet_they_shared(tmp_path: Path) -> None:
    # Cleo has no login: only that the tablet was Anna's kept her mobile and Ben's login apart.
    data = folder_of(
        tmp_path / "data",
        [
            native(event("open", device("tablet") | login("anna-login") | mobile("13900000001"))),
            native(event("open", login("ben") | device("tablet"))),
            native(event("open", mobile("13900000003") | device("tablet"))),
            native(event("open", login("ben"))),
            native(event("open", mobile("13900000003"))),
        ],
    )
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    assert len({person for _, _, person, *_ in before}) == 2
    assert "Stays where others sent it, too: tablet" in delete(data)
    assert of_others(data, anna) == before
    assert found_in(data, ["anna-login", "13900000001"]) == {}
    assert ask(data, "select distinct outcome from identity_links") == [("retracted",)]


def test_who_comes_back_is_a_person_without_a_past_under_the_same_id(data: Path) -> None:
    delete(data)
    clock_us = 2 * 10**15  # long after the deletion
    StoryLog(data / "log").append(native(event("open", login("anna-login"))), clock_us, "collector-2")
    run(data, "load", "--once")
    run(data, "replay", "--all", "--no-keep")
    anna = person_of(data, "$identity_login_id", "anna-login")
    assert ask(data, f"select event_name from events where person_id::varchar = '{anna}'") == [("open",)]
    assert "anna-device-1" not in found_in(data, ANNAS)


def test_an_act_that_names_her_is_blanked_and_others_acts_stay(tmp_path: Path) -> None:
    data = folder_of(
        tmp_path / "data",
        [
            native(event("open", device("anna-device-1") | login("anna-login"))),
            native(event("open", device("bens-phone") | login("ben"))),
            retraction(device("anna-device-1"), login("anna-login")),
            retraction(device("bens-phone"), login("ben")),
        ],
    )
    delete(data)
    assert found_in(data, ANNAS) == {}
    assert ask(data, "select count(*) as n from acts where act = 'retract_link'") == [(2,)]
    assert ask(data, "select outcome from identity_links") == [("retracted",)]


def test_a_dry_run_tells_what_would_go_and_changes_nothing(data: Path) -> None:
    files = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and path.suffix == ".log"}
    told = run(data, "person", "delete", "$identity_login_id=anna-login", "--dry-run")
    assert "Nothing was changed" in told
    assert "tablet" in told
    assert {path: path.read_bytes() for path in files} == files
    assert "anna-login" in found_in(data, ANNAS)
    preview = previewed(read_settings(data))
    assert preview.counts.events == 9
    assert preview.counts.calls == 2
    assert preview.duplicates == 1
    assert preview.rejects == 3
    assert preview.survey.files_to_rewrite() == 1
    assert preview.shared_values == ["tablet"]


def test_without_a_yes_nobody_goes(data: Path) -> None:
    told = run(data, "person", "delete", "$identity_login_id=anna-login", status=1, stdin="n\n")
    assert "for good" in told
    assert "anna-login" in found_in(data, ANNAS)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("nobody", "nobody has the person id or the identity (KEY=VALUE) 'nobody'"),
        (
            "$identity_login_id=nobody",
            "nobody has the person id or the identity (KEY=VALUE) '$identity_login_id=nobody'",
        ),
        ("00000000-0000-8000-8000-000000000000", "nobody has the person id"),
    ],
)
def test_who_is_unknown_is_told_how_to_find_somebody(data: Path, who: str, why: str) -> None:
    with pytest.raises(Exception, match="onepath sql") as refused:
        previewed(read_settings(data), who)
    assert why in str(refused.value)


def test_who_has_a_number_after_her_keeps_number_and_person_id(tmp_path: Path) -> None:
    phone = mobile("13900000009")
    data = folder_of(
        tmp_path / "data",
        [
            native(event("open", login("anna-login") | phone, wish="annas-wish")),
            unbind(phone),
            native(event("open", phone)),  # somebody new, who is known by the number alone
            native(event("open", login("ben") | phone)),
            unbind(phone, NOON_MS + 1),
            native(event("open", phone)),
        ],
    )
    with pytest.raises(Exception, match="belongs or belonged to 3 persons"):
        previewed(read_settings(data), "mobile=13900000009")
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    delete(data)
    assert of_others(data, anna) == before
    assert found_in(data, ["anna-login", "annas-wish"]) == {}
    assert set(found_in(data, ["13900000009"])) == {"13900000009"}
    assert ask(data, "select incarnation from identities where identity_value = '13900000009' order by all") == [
        (1,),
        (2,),
    ]
    ben = person_of(data, "$identity_login_id", "ben")
    others = [row for row in before if row[2] != ben]
    delete(data, ben)
    assert of_others(data, ben) == others
    run(data, "replay", "--check")


def test_log_files_that_are_gone_must_be_accepted_first(data: Path) -> None:
    seal_stream(data / "log", "collector")
    StoryLog(data / "log").append(native(event("open", login("anna-login"))), NOON_US, "late")
    run(data, "load", "--once")
    [log_file] = list_files(data / "log" / "collector")
    log_file.path.rename(log_file.path.with_suffix(".away"))
    with pytest.raises(ApiError, match=r"collector/1.*replay --all"):
        previewed(read_settings(data))


def test_an_export_holds_all_that_is_kept(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "anna.json"
    told = run(data, "person", "export", "login_id=anna-login", "--output", str(file))
    assert "9 events, 2 calls" in told
    text = file.read_text(encoding="utf-8")
    found = json.loads(text)
    for value in (*ANNAS, "tablet"):
        assert value in text, value
    for value in ("cleo", "bens-phone"):
        assert value not in json.dumps({**found, "rejects": []}, ensure_ascii=False), value
    assert [each["event_name"] for each in found["events"]][:2] == ["open", "$SignUp"]
    assert found["properties"] == {"home": "Annas Straße 1 🎉", "kind": "annas-trait"}
    assert [each["account_id"] for each in found["accounts"]] == ["annas-school"]
    assert json.loads(run(data, "person", "export", found["person_id"])) == found


def test_operators_acts_that_put_her_into_a_school_go_with_her(tmp_path: Path) -> None:
    def member(who: str) -> Act:
        details = {"identity_key": "$identity_login_id", "identity_value": who}
        return Act("add_member", "head office", {**details, "account_type": "account", "account_id": "公立学校"})

    data = folder_of(
        tmp_path / "data",
        [native(event("open", login("anna-login")), event("open", login("ben"))), member("anna-login"), member("ben")],
    )
    ben = person_of(data, "$identity_login_id", "ben")
    delete(data)
    assert found_in(data, ["anna-login"]) == {}
    assert ask(data, "select person_id::varchar as p, account_id from memberships") == [(ben, "公立学校")]
    assert ask(data, "select count(*) as n from rejects") == [(0,)]


def test_while_a_server_runs_nobody_is_deleted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "running_server", lambda _settings: "http://127.0.0.1:8107")
    with pytest.raises(ApiError, match="stop it, delete the person, and start it again"):
        previewed(read_settings(data))
    assert "anna-login" in found_in(data, ANNAS)
