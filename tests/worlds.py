"""Small worlds of events for the models' tests: stories in, a snapshot with the public `events` view out."""

import atexit
import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import duckdb
import pyarrow as pa

from warehouse.reader import EventProperty, OwnedName

PropertyValue = bool | float | str | list[str]

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
WORLD_NUMBERS = count(1)
ARROW_TYPES = {"boolean": pa.bool_(), "number": pa.float64(), "text": pa.string(), "list": pa.list_(pa.string())}
EVENT_COLUMNS = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_name", pa.string()),
        ("event_at", pa.timestamp("us")),
        ("person_id", pa.string()),
        ("account_id", pa.string()),
        ("distinct_id", pa.string()),
        ("log_order", pa.string()),
        ("other_properties", pa.string()),
    ]
)
NO_ACTS = "select '' as act, '' as operator, '{}' as details, now() as received_at, '' as log_order where false"
CARRIED_COLUMNS = pa.schema(
    [
        ("target", pa.string()),
        ("person_id", pa.string()),
        ("account_id", pa.string()),
        ("property_name", pa.string()),
        ("value", pa.string()),
    ]
)


@dataclass(frozen=True)
class StoryEvent:
    """What one person did, in the words of a story. `at` is an aware instant; `sent_as` the id it was sent under.

    `misfits` are properties of another type than their column's.
    """

    person: str
    event: str
    at: datetime
    account: str | None = None
    properties: dict[str, PropertyValue] = field(default_factory=dict)
    sent_as: str | None = None
    misfits: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Carried:
    """The properties that persons and accounts have now."""

    persons: dict[str, dict[str, PropertyValue]] = field(default_factory=dict)
    accounts: dict[str, dict[str, PropertyValue]] = field(default_factory=dict)


def at(seconds: float) -> datetime:
    """The instant so many seconds after the story's first Monday, midnight UTC."""
    return MONDAY + timedelta(seconds=seconds)


class World:
    """A snapshot of a handful of events, in memory. Events get their ids in the order of the story."""

    def __init__(self, events: Sequence[StoryEvent], properties: Iterable[EventProperty], carried: Carried) -> None:
        self.watermark = f"{len(events)} events"
        self._properties = list(properties)
        self._schema = f"world_{next(WORLD_NUMBERS)}"
        connection = _engine().cursor()
        connection.execute(f"create schema {self._schema}")
        connection.register("loaded", _event_rows(events, self._properties))
        connection.execute(
            f"""
            create table {self._schema}.events as
            select * replace (event_id::uuid as event_id, person_id::uuid as person_id)
            from loaded
            """
        )
        carried_rows = _carried_rows(carried)
        self._carried = frozenset((row["target"], row["property_name"]) for row in carried_rows.to_pylist())
        connection.register("carried", carried_rows)
        connection.execute(
            f"""
            create table {self._schema}.property_values as
            select * replace (person_id::uuid as person_id, value::json as value) from carried
            """
        )
        connection.execute(f"create view {self._schema}.acts as {NO_ACTS}")  # nobody has set a plan

    def query(self, sql: str) -> pa.Table:
        """Run one SELECT and return its rows."""
        connection = _engine().cursor()
        connection.execute(f"set schema = '{self._schema}'")
        return connection.sql(sql).to_arrow_table()

    def unseen_events(self, names: Set[str]) -> frozenset[str]:
        """Those of `names` that no event of the story has."""
        return frozenset(names).difference(self.query("select event_name from events")["event_name"].to_pylist())

    def unseen_properties(self, names: Set[OwnedName]) -> frozenset[OwnedName]:
        """Those of `names` that nobody of the story carries."""
        return frozenset(names) - self._carried

    def seen_properties(self, owner: str) -> frozenset[str]:
        """The properties that persons, or accounts of one type, carry."""
        return frozenset(name for each, name in self._carried if each == owner)

    def event_properties(self) -> list[EventProperty]:
        """The properties the story's events carry."""
        return self._properties


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One engine for all worlds, a schema each: starting an engine takes longer than asking it."""
    atexit.register(_close_engine)
    return duckdb.connect(config={"threads": 1})


def _close_engine() -> None:
    _engine().close()
    _engine.cache_clear()


def world(
    events: Sequence[StoryEvent], properties: Iterable[EventProperty] | None = None, carried: Carried | None = None
) -> World:
    """The snapshot of a story; property types follow from the values unless they are given."""
    return World(events, _seen_properties(events) if properties is None else properties, carried or Carried())


def person_id(person: str) -> UUID:
    """The id the world gives to a person of the story."""
    return uuid5(NAMESPACE_OID, person)


def _seen_properties(events: Sequence[StoryEvent]) -> list[EventProperty]:
    first_values: dict[str, PropertyValue] = {}
    for event in events:
        for name, value in event.properties.items():
            first_values.setdefault(name, value)
    return [EventProperty(name, _type_name(value)) for name, value in sorted(first_values.items())]


def _type_name(value: PropertyValue) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float | int):
        return "number"
    return "text" if isinstance(value, str) else "list"


def _event_rows(events: Sequence[StoryEvent], properties: list[EventProperty]) -> pa.Table:
    schema = EVENT_COLUMNS
    if properties:
        struct = pa.struct([(known.name, ARROW_TYPES[known.type]) for known in properties])
        schema = schema.append(pa.field("properties", struct))
    rows = [
        {
            "event_id": str(UUID(int=position)),
            "event_name": event.event,
            "event_at": event.at.astimezone(UTC).replace(tzinfo=None),
            "person_id": str(person_id(event.person)),
            "account_id": event.account,
            "distinct_id": event.sent_as or event.person,
            "log_order": f"{position:09d}",
            "other_properties": json.dumps(event.misfits) if event.misfits else None,
            "properties": event.properties,
        }
        for position, event in enumerate(events, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _carried_rows(carried: Carried) -> pa.Table:
    persons = [("person", str(person_id(name)), None, found) for name, found in carried.persons.items()]
    accounts = [("account", None, name, found) for name, found in carried.accounts.items()]
    rows = [
        dict(zip(CARRIED_COLUMNS.names, (target, person, account, name, json.dumps(value)), strict=True))
        for target, person, account, properties in (*persons, *accounts)
        for name, value in properties.items()
    ]
    return pa.Table.from_pylist(rows, schema=CARRIED_COLUMNS)
