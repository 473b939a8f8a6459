"""Anna's life beside that of others, in a data folder; and the commands that forget her, as an operator calls them."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner, Result

from api import forgetting, offline, rebuilding
from api.cli import app
from api.forgetting import Preview, open_warehouse
from api.settings import Settings, read_settings
from ingest.log.sealing import seal_stream
from ingest.record import Act, Request
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
    segment,
    sensors,
    tracked,
)
from warehouse.batch import BatchRequest, DecodedBatch, decode_batch

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


@contextmanager
def decoding_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for module in (forgetting, offline, rebuilding):
            patched.setattr(module, "DecoderProcess", DecoderHere)
        yield


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
    with decoding_here():
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


def previewed(settings: Settings, who: str = "$identity_login_id=anna-login") -> Preview:
    return forgetting.preview_deletion(settings, who, ignore)


def ignore(_byte_count: int) -> None:
    """Nobody wants to know."""
