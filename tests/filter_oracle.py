"""Filters and matches read event by event in plain Python: the slow truth that the SQL conditions are judged by."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from models.filters import Filter, FilterGroup, PropertyFilter, PropertyOf, Scalar
from models.matching import EventMatch
from tests.worlds import MONDAY, Carried, PropertyValue, StoryEvent, person_id

OPPOSITES = {
    "neq": "eq",
    "not_contains": "contains",
    "not_matches": "matches",
    "is_not_set": "is_set",
    "is_empty": "is_not_empty",
    "is_false": "is_true",
}


def text_of(value: object) -> str:
    """A value as people write it: true, 95, 1.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return ", ".join(value) if isinstance(value, list) else str(value)


def number_of(text: str) -> float | None:
    """The number that a text writes; None where it writes none, or none that is finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def value_of(wanted: PropertyOf, event: StoryEvent, carried: Carried) -> PropertyValue | None:
    """What the event, its person or its account has of a property."""
    name = wanted.property.lower()
    if wanted.of == "field":
        fields = {"event_name": event.event, "person_id": str(person_id(event.person)), "distinct_id": event.person}
        return fields.get(name)
    owner: Mapping[str, PropertyValue] = {
        "event": event.properties,
        "person": carried.persons.get(event.person, {}),
        "account": carried.accounts.get(event.account or "", {}),
    }[wanted.of]
    return {key.lower(): value for key, value in owner.items()}.get(name)


def passes(condition: Filter, event: StoryEvent, carried: Carried | None = None, now: datetime = MONDAY) -> bool:
    """Whether the event passes one filter or group of them."""
    carried = carried or Carried()
    if isinstance(condition, FilterGroup):
        outcomes = [passes(each, event, carried, now) for each in condition.members]
        if condition.all_of is not None:
            return all(outcomes)
        return any(outcomes) if condition.any_of is not None else not any(outcomes)
    have = value_of(condition, event, carried)
    opposite = OPPOSITES.get(condition.op)
    if opposite is None:
        return _holds(condition.op, condition, have, event.at if condition.age_at == "event" else now)
    if have is None:
        return not condition.needs_value
    return not _holds(opposite, condition, have, now)


def matches(any_of: Sequence[EventMatch], event: StoryEvent, carried: Carried | None = None) -> bool:
    """Whether the event is meant by any of the matches."""
    return any(
        match.event in (None, event.event) and all(passes(condition, event, carried) for condition in match.where)
        for match in any_of
    )


def _holds(op: str, condition: PropertyFilter, have: PropertyValue | None, asked_at: datetime) -> bool:
    if have is None:
        return False
    text = text_of(have)
    wanted = [text_of(value) for value in condition.values]
    match op:
        case "is_set":
            return True
        case "is_not_empty":
            return text != ""
        case "is_true":
            return text.lower() in ("true", "1")
        case "eq":
            items = have if isinstance(have, list) else [have]
            return any(_equals(item, value) for item in items for value in condition.values)
        case "contains":
            return wanted[0].lower() in text.lower()
        case "matches":
            return re.search(wanted[0], text) is not None
        case "within_last" | "older_than":
            return _has_age(op, text, float(wanted[0]), asked_at)
    return _is_ordered(op, condition, text, wanted)


def _has_age(op: str, text: str, seconds: float, asked_at: datetime) -> bool:
    moment = _moment(text)
    if moment is None:
        return False
    age = asked_at - moment
    if op == "older_than":
        return age > timedelta(seconds=seconds)
    return timedelta(0) <= age <= timedelta(seconds=seconds)


def _is_ordered(op: str, condition: PropertyFilter, text: str, wanted: list[str]) -> bool:
    read = _moment if condition.compares_moments else number_of
    number, bounds = read(text), [read(each) for each in wanted]
    if number is None:
        return False
    first, last = bounds[0], bounds[-1]
    return bool(
        {
            "gt": number > first,  # type: ignore[operator]  # both are what `read` makes
            "gte": number >= first,  # type: ignore[operator]
            "lt": number < first,  # type: ignore[operator]
            "lte": number <= first,  # type: ignore[operator]
            "between": first <= number <= last,  # type: ignore[operator]
        }[op]
    )


def _equals(have: object, wanted: Scalar) -> bool:
    """A number equals itself however it is written; all else compares as text."""
    is_number = isinstance(have, int | float) and not isinstance(have, bool)
    if is_number and not isinstance(wanted, bool):
        return number_of(text_of(have)) == number_of(text_of(wanted))
    return text_of(have) == text_of(wanted)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
