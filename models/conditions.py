"""Filters and matches as SQL conditions that are never null."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlglot import exp

from models.calendar import Calendar
from models.columns import Columns
from models.filters import Filter, FilterGroup, Operator, PropertyFilter, Scalar, spellings_of, text_of
from models.matching import EventMatch
from models.sql import any_of, fragment, literal

COMPARISONS: Mapping[Operator, type[exp.Binary]] = {"gt": exp.GT, "gte": exp.GTE, "lt": exp.LT, "lte": exp.LTE}
OPPOSITES: Mapping[Operator, Operator] = {
    "neq": "eq",
    "not_contains": "contains",
    "not_matches": "matches",
    "is_not_set": "is_set",
    "is_empty": "is_not_empty",
    "is_false": "is_true",
}

# A cast to timestamp passes over an offset, so only what has none is read that way.
_MOMENT = r"""
case
    when regexp_matches($text, '[0-9]([Zz]|[+-][0-9]{2}:?[0-9]{2})$') and length($text) > 10
        then try_cast($text as timestamptz) at time zone 'UTC'
    else try_cast($text as timestamp)
end
"""


def match_condition(match: EventMatch, columns: Columns) -> exp.Expr:
    """True for the events the match means; never null."""
    conditions = [fragment("event_name = $name", name=match.event)] if match.event is not None else []
    return all_hold([*conditions, *filter_conditions(match.where, columns)])


def matches_any(matches: Iterable[EventMatch], columns: Columns) -> exp.Expr:
    """True for the events at least one match means."""
    return any_of([match_condition(match, columns) for match in matches])


def filter_conditions(filters: Iterable[Filter], columns: Columns) -> list[exp.Expr]:
    """One condition for each filter; all must hold."""
    return [filter_condition(each, columns) for each in filters]


def all_hold(conditions: list[exp.Expr]) -> exp.Expr:
    """True where every condition holds; true where there is none."""
    return exp.and_(*conditions) if conditions else exp.true()


def filter_condition(condition: Filter, columns: Columns) -> exp.Expr:
    """True for the events that pass the filter; never null."""
    if isinstance(condition, FilterGroup):
        return _group_condition(condition, columns)
    opposite = OPPOSITES.get(condition.op)
    if opposite is None:
        return fragment("coalesce($holds, false)", holds=_holds(condition.op, condition, columns))
    holds = _holds(opposite, condition, columns)
    if condition.needs_value:
        return fragment("coalesce(not ($holds), false)", holds=holds)
    return fragment("not coalesce($holds, false)", holds=holds)


def _group_condition(group: FilterGroup, columns: Columns) -> exp.Expr:
    members = filter_conditions(group.members, columns)
    if group.all_of is not None:
        return all_hold(members)
    return any_of(members) if group.any_of is not None else exp.not_(exp.paren(any_of(members)))


def _holds(op: Operator, condition: PropertyFilter, columns: Columns) -> exp.Expr:
    """The condition where the property is there; null or false where it is missing."""
    if op == "eq":
        return _equals_any(condition, columns)
    if op in COMPARISONS:
        number, bound = _compared(condition, condition.values[0], columns)
        return COMPARISONS[op](this=number, expression=bound)
    if op == "between":
        number, lowest = _compared(condition, condition.values[0], columns)
        _, highest = _compared(condition, condition.values[1], columns)
        return fragment("$number between $lowest and $highest", number=number, lowest=lowest, highest=highest)
    text = columns.text(condition)
    if op in ("within_last", "older_than"):
        return _age_condition(op, condition, text)
    if op == "is_set":
        return fragment("$text is not null", text=text)
    if op == "is_not_empty":
        return fragment("'' <> $text", text=text)
    if op == "is_true":
        return fragment("lower($text) in ('true', '1')", text=text)
    wanted = text_of(condition.values[0])
    if op == "matches":
        return fragment("regexp_matches($text, $pattern)", text=text, pattern=wanted)
    return fragment("contains(lower($text), lower($wanted))", text=text, wanted=wanted)


def _equals_any(condition: PropertyFilter, columns: Columns) -> exp.Expr:
    is_number = columns.is_number(condition)
    texts = [literal(text) for value in condition.values for text in spellings_of(value, is_number=is_number)]
    return columns.is_any_of(condition, texts)


def _compared(condition: PropertyFilter, bound: Scalar, columns: Columns) -> tuple[exp.Expr, exp.Expr]:
    """What is compared and with what: numbers, or moments in UTC."""
    if not condition.compares_moments:
        return columns.number(condition), literal(float(bound))
    return moment_in(columns.text(condition)), literal(Calendar("UTC").to_utc(datetime.fromisoformat(str(bound))))


def _age_condition(op: Operator, condition: PropertyFilter, text: exp.Expr) -> exp.Expr:
    """How old the moment is: at the event's time, or when the statement runs."""
    asked_at = "events.event_at" if condition.age_at == "event" else "(now() at time zone 'UTC')"
    compared = "<=" if op == "within_last" else ">"
    age = f"epoch_us({asked_at}) - epoch_us($moment)"
    not_ahead = f" and $moment <= {asked_at}" if op == "within_last" else ""
    seconds = float(condition.values[0])
    return fragment(f"{age} {compared} $seconds * 1000000{not_ahead}", moment=moment_in(text), seconds=seconds)


def moment_in(text: exp.Expr) -> exp.Expr:
    """A moment in UTC, null where the text is none; one without an offset is read as UTC."""
    return fragment(_MOMENT, text=text)
