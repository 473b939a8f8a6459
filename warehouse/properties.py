"""Event properties as typed columns: the first type seen wins, and what does not fit is kept beside, counted.

Names compare ignoring case, as DuckDB's do. Types: boolean, number (a double), text, list (of text), object (JSON
text).
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

PropertyType = Literal["boolean", "number", "text", "list", "object"]
MisfitReason = Literal["other_type", "beyond_double", "too_many_properties", "unusable_name", "spelled_twice"]

ARROW_TYPES: dict[PropertyType, pa.DataType] = {
    "boolean": pa.bool_(),
    "number": pa.float64(),
    "text": pa.string(),
    "list": pa.list_(pa.string()),
    "object": pa.string(),
}
DUCKDB_TYPES: dict[PropertyType, str] = {
    "boolean": "boolean",
    "number": "double",
    "text": "varchar",
    "list": "varchar[]",
    "object": "varchar",
}
# The fields that the events table is created with; the well-known ones are plain columns of the view.
FIRST_COLUMNS: dict[str, PropertyType] = {
    "channel": "text",
    "region": "text",
    "amount": "number",
    "$url": "text",
    "$title": "text",
    "$referrer": "text",
    "$ip": "text",
    "$user_agent": "text",
    "$os": "text",
    "$app_version": "text",
    "$utm_source": "text",
    "$utm_medium": "text",
    "$utm_campaign": "text",
}
# Values of these Python types go into a column of that type as they are.
_PLAIN_KINDS: dict[PropertyType, set[type]] = {"boolean": {bool}, "number": {int, float}, "text": {str}}
_LARGEST_EXACT = 2**53
_MAX_NAME_CHARS = 255


class Misfit(Exception):
    """A value that its column cannot hold; it goes to other_properties."""

    def __init__(self, reason: MisfitReason) -> None:
        super().__init__(reason)
        self.reason: MisfitReason = reason


def type_of(value: Any) -> PropertyType:
    """The column type that a value asks for."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "list"
    return "object"


def fit(value: Any, column_type: PropertyType) -> Any:
    """`value` as its column holds it; raises `Misfit`. A text column takes numbers and booleans as text."""
    value_type = type_of(value)
    if value_type == "number" and column_type == "number":
        if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
            raise Misfit("beyond_double")
        return float(value)
    if column_type == "object" and value_type in ("object", "list"):
        return json.dumps(value, ensure_ascii=False)
    if value_type == column_type:
        return value
    if column_type == "text" and value_type in ("number", "boolean"):
        return json.dumps(value)
    raise Misfit("other_type")


@dataclass
class PropertyColumns:
    """The columns there are, by name ignoring case, and those that a batch adds."""

    max_columns: int
    types: dict[str, PropertyType] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    added: list[tuple[str, PropertyType]] = field(default_factory=list)

    @classmethod
    def of(cls, known: list[tuple[str, PropertyType]], max_columns: int) -> "PropertyColumns":
        columns = cls(max_columns)
        for name, column_type in known:
            columns._names[name.lower()] = name
            columns.types[name] = column_type
        return columns

    def column_for(self, name: str, value: Any) -> str:
        """The column that holds this property, made if need be; raises `Misfit`."""
        known = self._names.get(name.lower())
        if known is not None:
            return known
        if not name or len(name) > _MAX_NAME_CHARS or not name.isprintable():
            raise Misfit("unusable_name")
        if len(self.types) >= self.max_columns:
            raise Misfit("too_many_properties")
        column_type = type_of(value)
        if column_type == "number" and isinstance(value, int) and abs(value) > _LARGEST_EXACT:
            raise Misfit("beyond_double")  # such a number is an id; the next value says what the column is
        self._names[name.lower()] = name
        self.types[name] = column_type
        self.added.append((name, column_type))
        return name


@dataclass(slots=True)
class _Spelling:
    """What one spelling of a property name holds in this batch: rows in order, and their values."""

    column: str
    rows: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


class PropertyBatch:
    """Collects the properties of a batch of events, and turns them into columns when all are there."""

    def __init__(self, columns: PropertyColumns) -> None:
        self._columns = columns
        self._spellings: dict[str, _Spelling] = {}
        self._others: dict[int, dict[str, Any]] = {}
        self.misfits: dict[tuple[str, str], int] = {}

    def add(self, row: int, properties: dict[str, Any]) -> None:
        """Take the properties of the event at `row`; rows come in order."""
        spellings = self._spellings
        for name, value in properties.items():
            spelling = spellings.get(name)
            if spelling is None:
                if value is None:
                    continue
                try:
                    spelling = spellings[name] = _Spelling(self._columns.column_for(name, value))
                except Misfit as misfit:
                    self.set_aside(row, name, value, misfit.reason)
                    continue
            spelling.rows.append(row)
            spelling.values.append(value)

    def set_aside(self, row: int, name: str, value: Any, reason: str) -> None:
        """Keep a value that gets no column among the event's other properties, and count why."""
        self.keep_beside(row, name, value)
        self.misfits[name, reason] = self.misfits.get((name, reason), 0) + 1

    def keep_beside(self, row: int, name: str, value: Any) -> None:
        """Keep a value of the message at `row` beside its columns; the caller counts it."""
        self._others.setdefault(row, {})[name] = value

    def to_arrow(self, row_count: int) -> tuple[pa.StructArray, pa.Array]:
        """The struct of columns seen in this batch, and the JSON of what did not fit; both of `row_count` rows."""
        by_column: dict[str, list[str]] = {}
        for name, spelling in self._spellings.items():
            by_column.setdefault(spelling.column, []).append(name)
        arrays = {column: self._column(column, by_column[column], row_count) for column in sorted(by_column)}
        if not arrays:  # a struct needs a field
            arrays = {"channel": pa.nulls(row_count, pa.string())}
        others: list[str | None] = [None] * row_count
        for row, properties in self._others.items():
            others[row] = json.dumps(properties, ensure_ascii=False, sort_keys=True)
        return pa.StructArray.from_arrays(arrays.values(), names=list(arrays)), pa.array(others, pa.string())

    def _column(self, column: str, names: list[str], row_count: int) -> pa.Array:
        column_type = self._columns.types[column]
        if len(names) == 1:
            spelling = self._spellings[names[0]]
            found = _as_they_are(spelling.values, column_type)
            if found is not None:
                return spread(found, spelling.rows, row_count)
        # The column's own spelling first: which of two wins must not depend on what else is in the batch.
        rows, values = self._fitted(sorted(names, key=lambda name: (name != column, name)), column_type)
        return spread(pa.array(values, ARROW_TYPES[column_type]), rows, row_count)

    def _fitted(self, names: list[str], column_type: PropertyType) -> tuple[list[int], list[Any]]:
        """Value by value what fits, with its row; the rest is set aside. Of two spellings the first of `names` wins."""
        fitted: dict[int, Any] = {}
        for name in names:
            spelling = self._spellings[name]
            for row, value in zip(spelling.rows, spelling.values, strict=True):
                if value is None:
                    continue
                try:
                    fits = fit(value, column_type)
                    if row in fitted:
                        raise Misfit("spelled_twice")
                    fitted[row] = fits
                except Misfit as misfit:
                    self.set_aside(row, name, value, misfit.reason)
        rows = sorted(fitted)
        return rows, [fitted[row] for row in rows]


def _as_they_are(values: list[Any], column_type: PropertyType) -> pa.Array | None:
    """The values as a column when none of them needs a closer look."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN_KINDS.get(column_type, set()):
        return None
    try:
        return pa.array(values, ARROW_TYPES[column_type])
    except pa.ArrowInvalid:  # an integer that a double does not hold
        return None


def spread(values: pa.Array, rows: list[int], row_count: int) -> pa.Array:
    """`values` at their `rows` of a column that is null elsewhere."""
    if len(rows) == row_count:
        return values
    places = np.full(row_count, -1, dtype=np.int64)
    places[rows] = np.arange(len(rows))
    return values.take(pa.array(places, mask=places < 0))
