"""Exporting a person: all that warehouse and log hold, as plain values for one JSON file.

Rows are those of the public views, without what is empty, in the order of the log; texts that hold JSON are given as
what they hold. The way each request came (address, user agent) is read from the log.
"""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ingest.erasure.mentions import mentions
from ingest.record import Record
from warehouse.chosen import choose_orders, read_chosen
from warehouse.forgetting import pairs_of
from warehouse.one_id.finding import find_person
from warehouse.snapshot import DuckDBSnapshot
from warehouse.statements import read_statement, with_literals

Values = dict[str, Any]

# What a request's headers say about its sender's keys is no person's.
_SECRET_HEADERS = frozenset({"authorization"})
_JSON_TEXTS = frozenset({"changes", "other_changes", "other_properties", "properties"})
_MOST_REJECTS_AT_ONCE = 1000


def export_person(snapshot: DuckDBSnapshot, log: Path, wanted: str) -> Values:
    """Everything about the person named by its id or `KEY=VALUE`. Raises `NoSuchPerson`."""
    person_id = find_person(snapshot, wanted, exactly=True)
    by_id = f"where person_id = '{person_id}'"
    [person] = _rows(snapshot, f"select * from persons {by_id}")
    events = _rows(snapshot, f"select * from events {by_id} order by log_order")
    calls = _rows(snapshot, f"select * from calls {by_id} order by log_order")
    rejects = _rejects(snapshot, {each.identity.value for each in pairs_of(snapshot, person_id)})
    return {
        "person_id": person_id,
        "watermark": snapshot.watermark,
        "first_seen_at": person.get("first_seen_at"),
        "last_seen_at": person.get("last_seen_at"),
        "properties": person.get("properties", {}),
        "identities": _rows(
            snapshot,
            "select identity_key, identity_value, incarnation, is_unbound, first_seen_at, last_seen_at from identities "
            f"{by_id} order by first_seen_at, identity_key, identity_value, incarnation",
        ),
        "links": _rows(snapshot, with_literals(read_statement("forget/person_links"), {"person_id": person_id})),
        "accounts": _rows(snapshot, with_literals(read_statement("forget/person_accounts"), {"person_id": person_id})),
        "events": [_without_copies(each) for each in events],
        "calls": calls,
        "rejects": rejects,
        "requests": _requests(log, (each["log_order"] for each in (*events, *calls, *rejects))),
    }


def _rows(snapshot: DuckDBSnapshot, sql: str) -> list[Values]:
    return [_plain_row(row) for row in snapshot.query(sql).to_pylist()]


def _plain_row(row: Values) -> Values:
    plain = {name: _plain(_read(value) if name in _JSON_TEXTS else value) for name, value in row.items()}
    return {name: value for name, value in plain.items() if value is not None and value != {}}


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.replace(tzinfo=UTC).isoformat()
        case date():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "replace")
        case dict():
            return {name: _plain(each) for name, each in value.items() if each is not None}
        case list() | tuple():
            return [_plain(each) for each in value]
        case bool() | int() | float() | str() | None:
            return value
    return str(value)


def _without_copies(event: Values) -> Values:
    """An event without the columns that the view makes of its properties."""
    properties = event.get("properties", {})
    copies = {name.removeprefix("$") for name in properties}
    return {name: value for name, value in event.items() if name not in copies or name == "properties"}


def _rejects(snapshot: DuckDBSnapshot, values: set[str]) -> list[Values]:
    """What was refused and mentions one of the values; an original that was dropped to keep the budget cannot tell."""
    found, after = list[Values](), ""
    while True:
        rows = snapshot.query(
            f"select * from rejects where log_order > '{after}' order by log_order limit {_MOST_REJECTS_AT_ONCE}"
        ).to_pylist()
        if not rows:
            return found
        found += [_plain_row(row) for row in rows if not values.isdisjoint(mentions(row["original"] or b""))]
        after = rows[-1]["log_order"]


def _requests(log: Path, orders: Iterable[str]) -> list[Values]:
    """How the requests came that held these messages; of a log file that is gone there is nothing to tell."""
    found = list[Values]()
    for chosen, record in read_chosen(log, choose_orders(sorted(orders))):
        if isinstance(record, Record) and record.request is not None:
            request = record.request
            headers = {name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS}
            found.append(
                {
                    "received_at": record.received_at.isoformat(),
                    "record": chosen.record_order,
                    "method": request.method,
                    "path": request.path,
                    "remote_address": request.remote_address,
                    "headers": headers,
                }
            )
    return found
