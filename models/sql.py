"""The one place where models build SQL: pieces as sqlglot expressions, in DuckDB's dialect.

Fixed text is parsed; whatever a question brings in (names, values, times) enters as a literal or a quoted identifier.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, reduce
from typing import cast

import sqlglot
from sqlglot import exp

from models.calendar import Calendar, Period
from models.filters import Scalar

DIALECT = "duckdb"


def fragment(text: str, tables: Mapping[str, str] | None = None, /, **parts: exp.Expr | Scalar) -> exp.Expr:
    """Fixed SQL text as an expression, with `$name` replaced by the part of that name and tables renamed."""
    values = {name: _operand(literal(part)) for name, part in parts.items()}
    tree = exp.replace_placeholders(_parsed(text), **values)  # a copy: the parsed text is kept
    for table in tree.find_all(exp.Table) if tables else ():
        renamed = (tables or {}).get(table.name)
        if renamed is not None:  # what the text calls the table stays its name in the statement
            table.replace(exp.alias_(exp.to_table(renamed), table.alias_or_name, table=True))
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


def json_pointer(name: str | exp.Expr) -> exp.Expr:
    """Where json_extract finds the property of that name; a path ('$."name"') cannot name every one, such as "*"."""
    if isinstance(name, str):
        return literal("/" + name.replace("~", "~0").replace("/", "~1"))
    return fragment("'/' || replace(replace($name, '~', '~0'), '/', '~1')", name=name)


def finite_number(text: exp.Expr) -> exp.Expr:
    """The number that a text writes, null where it writes none: "nan" and "inf" are words, 1e999 is beyond numbers."""
    return fragment("case when isfinite(try_cast($text as double)) then try_cast($text as double) end", text=text)


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
    kept, is_recursive = set(materialized), any(_reads(query, name) for name, query in ctes.items())
    for name, query in ctes.items():
        materialize = True if name in kept else None
        final = final.with_(name, as_=query, materialized=materialize, recursive=is_recursive, copy=False)
    return final.sql(dialect=DIALECT, pretty=True, normalize_functions="lower", copy=False)


def _reads(query: exp.Query, name: str) -> bool:
    """Whether a CTE reads itself: only a union can."""
    return isinstance(query, exp.SetOperation) and any(table.name == name for table in query.find_all(exp.Table))


def period_conditions(period: Period, calendar: Calendar) -> list[exp.Expr]:
    """The events inside the period."""
    return instant_conditions(*period.bounds_utc(calendar))


def instant_conditions(start: datetime | None, end: datetime | None) -> list[exp.Expr]:
    """The events inside [start, end), both naive UTC; None leaves a side open."""
    conditions = [fragment("event_at >= $start", start=literal(start))] if start else []
    return conditions + ([fragment("event_at < $end", end=literal(end))] if end else [])


def local_time(moment: exp.Expr, calendar: Calendar) -> exp.Expr:
    """A UTC timestamp as the project's local time, without a zone."""
    if calendar.timezone == "UTC":
        return moment
    zone = literal(calendar.timezone)
    return fragment("($moment at time zone 'UTC') at time zone $zone", moment=moment, zone=zone)


# DuckDB takes a time that clocks show twice for the later one; by the offset of the day before it is the earlier one.
_FIRST_UTC = """
case
    when (($earlier at time zone 'UTC') at time zone $zone) = $local then $earlier
    else ($local at time zone $zone) at time zone 'UTC'
end
"""
_BY_OFFSET_BEFORE = "((($local - interval 1 day) at time zone $zone) at time zone 'UTC') + interval 1 day"


def utc_time(local: exp.Expr, calendar: Calendar) -> exp.Expr:
    """The UTC timestamp of a local time, the first one of a time that comes twice; see `Calendar.to_utc`."""
    if calendar.timezone == "UTC":
        return local
    zone = literal(calendar.timezone)
    earlier = fragment(_BY_OFFSET_BEFORE, local=local, zone=zone)
    return fragment(_FIRST_UTC, earlier=earlier, local=local, zone=zone)
