"""Event properties as typed columns: the first type seen wins, and what does not fit is kept beside, counted.

Names compare ignoring case, as DuckDB's do. Types: boolean, number (a double), text, list (of text), object (JSON
text).
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

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


class PropertyBatch:
    """Collects the properties of a batch of events column by column."""

    def __init__(self, columns: PropertyColumns) -> None:
        self._columns = columns
        self._values: dict[str, tuple[list[int], list[Any]]] = {}
        self._others: dict[int, dict[str, Any]] = {}
        self.misfits: dict[tuple[str, MisfitReason], int] = {}

    def add(self, row: int, properties: dict[str, Any]) -> None:
        """Take the properties of the event at `row`."""
        for name, value in properties.items():
            if value is None:
                continue
            try:
                self._put(row, name, value)
            except Misfit as misfit:
                self._others.setdefault(row, {})[name] = value
                key = (name, misfit.reason)
                self.misfits[key] = self.misfits.get(key, 0) + 1

    def _put(self, row: int, name: str, value: Any) -> None:
        column = self._columns.column_for(name, value)
        fitted = fit(value, self._columns.types[column])
        rows, values = self._values.setdefault(column, ([], []))
        if rows and rows[-1] == row:
            raise Misfit("spelled_twice")
        rows.append(row)
        values.append(fitted)

    def to_arrow(self, row_count: int) -> tuple[pa.StructArray, pa.Array]:
        """The struct of columns seen in this batch, and the JSON of what did not fit; both of `row_count` rows."""
        arrays, names = [], []
        for name, (rows, values) in sorted(self._values.items()):
            spread: list[Any] = [None] * row_count
            for row, value in zip(rows, values, strict=True):
                spread[row] = value
            arrays.append(pa.array(spread, ARROW_TYPES[self._columns.types[name]]))
            names.append(name)
        if not arrays:  # a struct needs a field
            arrays, names = [pa.nulls(row_count, pa.string())], ["channel"]
        others: list[str | None] = [None] * row_count
        for row, properties in self._others.items():
            others[row] = json.dumps(properties, ensure_ascii=False, sort_keys=True)
        return pa.StructArray.from_arrays(arrays, names=names), pa.array(others, pa.string())
