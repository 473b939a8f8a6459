"""The one place where models build SQL: pieces as sqlglot expressions, in DuckDB's dialect.

Fixed text is parsed; whatever a question brings in (names, values, times) enters as a literal or a quoted identifier.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, reduce
from typing import Literal, cast

import sqlglot
from sqlglot import exp

from models.calendar import Calendar, Period, TimeUnit
from models.errors import UnknownPropertyError
from models.matching import EventMatch, Operator, PropertyFilter, Scalar, wanted_values
from warehouse.reader import EventProperty

Absent = Literal["refuse", "missing"]
"""A property that no event has carried yet: an error in a question, merely missing in a configured stage."""

DIALECT = "duckdb"
COMPARISONS: Mapping[Operator, type[exp.Binary]] = {"gt": exp.GT, "gte": exp.GTE, "lt": exp.LT, "lte": exp.LTE}
OPPOSITES: Mapping[Operator, Operator] = {"neq": "eq", "not_contains": "contains"}


def fragment(text: str, tables: Mapping[str, str] | None = None, /, **parts: exp.Expr | Scalar) -> exp.Expr:
    """Fixed SQL text as an expression, with `$name` replaced by the part of that name and tables renamed."""
    values = {name: _operand(literal(part)) for name, part in parts.items()}
    tree = exp.replace_placeholders(_parsed(text), **values)  # a copy: the parsed text is kept
    for table in tree.find_all(exp.Table) if tables else ():
        table.set("this", exp.to_identifier((tables or {}).get(table.name, table.name)))
    return tree


def select(text: str, tables: Mapping[str, str] | None = None, /, **parts: exp.Expr | Scalar) -> exp.Select:
    """A `fragment` that is a SELECT."""
    return cast(exp.Select, fragment(text, tables, **parts))


@lru_cache(maxsize=256)
def _parsed(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, dialect=DIALECT)


def _operand(part: exp.Expr) -> exp.Expr:
    """In parentheses where the text around it could otherwise bind tighter."""
    return exp.paren(part) if isinstance(part, exp.Binary | exp.Unary | exp.AtTimeZone) else part


def literal(value: exp.Expr | Scalar | date | datetime | None) -> exp.Expr:
    """A value as SQL; an expression stays what it is. Datetimes are naive UTC."""
    if isinstance(value, exp.Expr):
        return value
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), exp.DataType.Type.TIMESTAMP)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), exp.DataType.Type.DATE)
    return exp.convert(value)


def values_table(name: str, columns: Sequence[str], rows: Iterable[tuple[Scalar, ...]]) -> exp.Select:
    """`select * from (values ...)`: rows known before the question is asked."""
    return exp.select("*").from_(exp.values(list(rows), alias=name, columns=list(columns)))


def union_all(selects: Sequence[exp.Select]) -> exp.Query:
    """All rows of all selects."""
    first, *others = selects
    return reduce(lambda query, other: query.union(other, distinct=False), others, cast(exp.Query, first))


def any_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    """True where at least one condition holds."""
    return exp.or_(*dict.fromkeys(conditions))


def render(ctes: Mapping[str, exp.Query], final: exp.Select, materialized: Iterable[str] = ()) -> str:
    """One statement: the CTEs in their order, those read more than once materialized, then the final select."""
    kept = set(materialized)
    for name, query in ctes.items():
        final = final.with_(name, as_=query, materialized=True if name in kept else None, copy=False)
    return final.sql(dialect=DIALECT, pretty=True, normalize_functions="lower", copy=False)


class PropertyColumns:
    """The properties events carry, found by name in whatever case it is written."""

    def __init__(self, properties: Iterable[EventProperty], *, absent: Absent = "refuse") -> None:
        self._by_name = {known.name.lower(): known for known in properties}
        self._absent = absent

    def find(self, name: str) -> EventProperty:
        """The property of that name; raises UnknownPropertyError with names close to it."""
        known = self._by_name.get(name.lower())
        if known is None and self._absent == "refuse":
            raise UnknownPropertyError(name, (known.name for known in self._by_name.values()))
        return known or EventProperty(name, "text")

    def value(self, name: str) -> exp.Expr:
        """The property's column; null for one that no event has carried yet, where that is allowed."""
        known = self.find(name)
        if name.lower() not in self._by_name:
            return exp.cast(exp.null(), exp.DataType.Type.VARCHAR)
        return exp.column(exp.to_identifier(known.name, quoted=True), table="properties")

    def text(self, name: str) -> exp.Expr:
        """The property as text: numbers without a needless fraction, a list as its items joined by commas."""
        return fragment(_TEXT_FORMS[self.find(name).type], column=self.value(name))


_TEXT_FORMS = {
    "text": "$column",
    "boolean": "cast($column as varchar)",
    "number": r"regexp_replace(cast($column as varchar), '\.0$', '')",
    "list": "array_to_string($column, ', ')",
}


def match_condition(match: EventMatch, columns: PropertyColumns) -> exp.Expr:
    """True for the events the match means; never null."""
    conditions = [fragment("event_name = $name", name=match.event)] if match.event is not None else []
    conditions += [filter_condition(condition, columns) for condition in match.where]
    return exp.and_(*conditions) if conditions else exp.true()


def matches_any(matches: Iterable[EventMatch], columns: PropertyColumns) -> exp.Expr:
    """True for the events at least one match means."""
    return any_of([match_condition(match, columns) for match in matches])


def filter_condition(condition: PropertyFilter, columns: PropertyColumns) -> exp.Expr:
    """True for the events that pass the filter; never null."""
    if condition.op in OPPOSITES:
        opposite = PropertyFilter(condition.property, OPPOSITES[condition.op], condition.value)
        return exp.not_(filter_condition(opposite, columns))
    column = columns.value(condition.property)
    if condition.op == "is_not_set":
        return fragment("$column is null", column=column)
    if condition.op == "is_set":
        return fragment("$column is not null", column=column)
    return fragment("coalesce($holds, false)", holds=_holds(condition, columns))


def _holds(condition: PropertyFilter, columns: PropertyColumns) -> exp.Expr:
    """The condition where the property is there; null or false where it is missing."""
    known, wanted = columns.find(condition.property), wanted_values(condition)
    if condition.op == "eq":
        return _equals_any(known, wanted, columns)
    if condition.op == "contains":
        text = columns.text(condition.property)
        return fragment("contains(lower($text), lower($wanted))", text=text, wanted=_text_of(wanted[0]))
    number = columns.value(known.name) if known.type == "number" else _number_in(known, columns)
    return COMPARISONS[condition.op](this=number, expression=literal(float(wanted[0])))


def _number_in(known: EventProperty, columns: PropertyColumns) -> exp.Expr:
    return fragment("try_cast($text as double)", text=columns.text(known.name))


def _equals_any(known: EventProperty, wanted: tuple[Scalar, ...], columns: PropertyColumns) -> exp.Expr:
    texts = [literal(_text_of(value)) for value in wanted]
    if known.type == "list":
        return fragment("list_has_any($column, $texts)", column=columns.value(known.name), texts=exp.array(*texts))
    if len(texts) == 1:
        return exp.EQ(this=columns.text(known.name), expression=texts[0])
    return exp.In(this=columns.text(known.name), expressions=texts)


def _text_of(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def period_conditions(period: Period, calendar: Calendar) -> list[exp.Expr]:
    """The events inside the period."""
    return instant_conditions(*period.bounds_utc(calendar))


def instant_conditions(start: datetime | None, end: datetime | None) -> list[exp.Expr]:
    """The events inside [start, end), both naive UTC; None leaves a side open."""
    conditions = [fragment("event_at >= $start", start=literal(start))] if start else []
    return conditions + ([fragment("event_at < $end", end=literal(end))] if end else [])


def unit_date(moment: exp.Expr, unit: TimeUnit, calendar: Calendar) -> exp.Expr:
    """The first local date of the day, week or month in which a UTC timestamp falls."""
    zone = literal(calendar.timezone)
    local = fragment("($moment at time zone 'UTC') at time zone $zone", moment=moment, zone=zone)
    if unit == "day":
        return fragment("cast($local as date)", local=local)
    if unit == "week" and calendar.week_start == "sunday":
        return fragment("cast(date_trunc('week', $local + interval 1 day) - interval 1 day as date)", local=local)
    return fragment("cast(date_trunc($unit, $local) as date)", unit=unit, local=local)
