"""The catalog: what has been seen, event by event and property by property.

Computed from the public views whenever it is asked for, so there is nothing to keep up to date.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models.answers import SqlStatement
from models.errors import QuestionError
from models.plan.catalog_sql import (
    PROPERTY_TYPES,
    TARGET_COUNTS,
    build_events_query,
    build_examples_query,
    build_other_types_query,
    build_target_properties_query,
)
from warehouse.reader import Snapshot

MAX_EXAMPLES = 100
# Above this, values are ids and the like, and the most frequent ones say no more than any other.
_FEW_VALUES = 200
_TYPES_OF_JSON = {
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
    "BIGINT": "number",
    "UBIGINT": "number",
    "HUGEINT": "number",
    "DOUBLE": "number",
    "ARRAY": "list",
    "OBJECT": "object",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class CatalogQuestion:
    """The whole catalog, or that of one event; with at most `examples` values of each property."""

    event: str | None = None
    examples: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.examples <= MAX_EXAMPLES:
            raise QuestionError(f"examples is {self.examples}: ask for 1 to {MAX_EXAMPLES}.")


@dataclass(frozen=True)
class SeenType:
    """How many values of a type came."""

    type: str
    count: int


@dataclass(frozen=True)
class SeenProperty:
    """A property of an event, of persons or of accounts.

    `type` is that of its column, None where it has none; `other_types` came too, and are kept in other_properties.
    `count` and `share` (0..1) say how many events (persons, accounts) have it.
    """

    property_name: str
    type: str | None
    count: int
    share: float
    distinct_estimate: int
    other_types: tuple[SeenType, ...]
    examples: tuple[Any, ...]


@dataclass(frozen=True)
class SeenSdk:
    """An SDK that sent an event, and its versions."""

    sdk: str
    versions: tuple[str, ...]


@dataclass(frozen=True)
class SeenEvent:
    """An event and its properties, by name. Times are UTC."""

    event_name: str
    count: int
    persons: int
    first_seen_at: datetime
    last_seen_at: datetime
    sources: tuple[str, ...]
    sdks: tuple[SeenSdk, ...]
    properties: tuple[SeenProperty, ...]


@dataclass(frozen=True)
class CatalogAnswer:
    """What has been seen; of one event only that, without the properties of persons and accounts."""

    question: CatalogQuestion
    watermark: str
    sql: tuple[SqlStatement, ...]
    events: tuple[SeenEvent, ...]
    person_properties: tuple[SeenProperty, ...]
    account_properties: tuple[SeenProperty, ...]


def answer_catalog(question: CatalogQuestion, snapshot: Snapshot) -> CatalogAnswer:
    """Ask one snapshot of the warehouse."""
    asked = _Asked(snapshot)
    types = {row["property_name"]: row["property_type"] for row in asked.rows("property_types", PROPERTY_TYPES)}
    events = _read_events(question, asked, types)
    targets = _read_targets(question, asked) if question.event is None else {}
    return CatalogAnswer(
        question=question,
        watermark=snapshot.watermark,
        sql=tuple(asked.statements),
        events=events,
        person_properties=targets.get("person", ()),
        account_properties=targets.get("account", ()),
    )


class _Asked:
    """Asks a snapshot and remembers the statements."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.statements: list[SqlStatement] = []

    def rows(self, name: str, sql: str) -> list[Row]:
        self.statements.append(SqlStatement(name, sql))
        rows: list[Row] = self._snapshot.query(sql).to_pylist()
        return rows


def _read_events(question: CatalogQuestion, asked: _Asked, types: Mapping[str, str]) -> tuple[SeenEvent, ...]:
    columns = list(types)
    rows = asked.rows("events", build_events_query(columns, question.event))
    filled = [index for index in range(len(columns)) if any(row[f"filled_{index}"] for row in rows)]
    few = {columns[index] for index in filled if max(row[f"distinct_{index}"] for row in rows) <= _FEW_VALUES}
    named = [columns[index] for index in filled]
    examples_sql = build_examples_query(named, few, question.event, question.examples)
    examples = {row["event_name"]: row for row in asked.rows("examples", examples_sql)} if named else {}
    others = defaultdict[str, list[Row]](list)
    for row in asked.rows("other_types", build_other_types_query(question.event, question.examples)):
        others[row["event_name"]].append(row)
    found = []
    for row in rows:
        name = row["event_name"]
        in_columns = {
            columns[index]: (row[f"filled_{index}"], row[f"distinct_{index}"], examples[name][f"examples_{place}"])
            for place, index in enumerate(filled)
            if row[f"filled_{index}"]
        }
        found.append(_event(row, _properties(row["event_count"], types, in_columns, others[name])))
    return tuple(found)


def _event(row: Row, properties: tuple[SeenProperty, ...]) -> SeenEvent:
    versions = defaultdict[str, list[str]](list)
    for each in row["sdks"] or ():
        versions[each["sdk"]] += [each["version"]] if each["version"] is not None else []
    return SeenEvent(
        event_name=row["event_name"],
        count=row["event_count"],
        persons=row["persons"],
        first_seen_at=row["first_seen_at"].replace(tzinfo=UTC),
        last_seen_at=row["last_seen_at"].replace(tzinfo=UTC),
        sources=tuple(row["sources"] or ()),
        sdks=tuple(SeenSdk(sdk, tuple(found)) for sdk, found in versions.items()),
        properties=properties,
    )


def _properties(
    event_count: int, types: Mapping[str, str], in_columns: Mapping[str, tuple[int, int, list[Any]]], others: list[Row]
) -> tuple[SeenProperty, ...]:
    """The properties of one event: those in columns, and those only beside them."""
    spelled = {name.lower(): name for name in types}
    beside = defaultdict[str, list[Row]](list)
    for row in others:
        sent: str = row["property_name"]
        beside[spelled.get(sent.lower(), sent)].append(row)
    found = []
    for name in sorted({*in_columns, *beside}):
        filled, distinct, examples = in_columns.get(name, (0, 0, []))
        other_types = _seen_types(beside[name])
        count = filled + sum(each.count for each in other_types)
        found.append(
            SeenProperty(
                property_name=name,
                type=types.get(name),
                count=count,
                share=min(1.0, count / event_count),
                distinct_estimate=distinct,
                other_types=other_types,
                examples=_plain(examples or [each for row in beside[name] for each in row["examples"]]),
            )
        )
    return tuple(found)


def _read_targets(question: CatalogQuestion, asked: _Asked) -> dict[str, tuple[SeenProperty, ...]]:
    counts = {row["target"]: row["target_count"] for row in asked.rows("target_counts", TARGET_COUNTS)}
    by_name = defaultdict[tuple[str, str], list[Row]](list)
    for row in asked.rows("target_properties", build_target_properties_query(question.examples)):
        by_name[row["target"], row["property_name"]].append(row)
    found = defaultdict[str, list[SeenProperty]](list)
    for (target, name), rows in by_name.items():
        first, *others = rows  # the most frequent type comes first
        count = sum(row["value_count"] for row in rows)
        found[target].append(
            SeenProperty(
                property_name=name,
                type=_TYPES_OF_JSON.get(first["json_type"], "object"),
                count=count,
                share=min(1.0, count / max(1, counts[target])),
                distinct_estimate=sum(row["distinct_count"] for row in rows),
                other_types=_seen_types(others),
                examples=_plain(first["examples"]),
            )
        )
    return {target: tuple(properties) for target, properties in found.items()}


def _seen_types(rows: Iterable[Row]) -> tuple[SeenType, ...]:
    counts = defaultdict[str, int](int)
    for row in rows:
        counts[_TYPES_OF_JSON.get(row["json_type"], "object")] += row["value_count"]
    return tuple(SeenType(name, count) for name, count in sorted(counts.items()))


def _plain(examples: Iterable[Any]) -> tuple[Any, ...]:
    """Whole numbers without a fraction, as they were sent."""
    return tuple(int(each) if isinstance(each, float) and each.is_integer() else each for each in examples)
