"""Filters and matches read event by event in plain Python: the slow truth that the SQL conditions are judged by."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from models.filters import Filter, FilterGroup, PropertyFilter, PropertyOf
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
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return ", ".join(value) if isinstance(value, list) else str(value)


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
            return any(item in wanted for item in (have if isinstance(have, list) else [text]))
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
    read = _moment if condition.compares_moments else _number
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


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
