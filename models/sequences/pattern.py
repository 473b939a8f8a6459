"""Patterns of events, as `(?1)(?t<=60)(?2).*(?1)`: read once into the events they want and the ways between them."""

import re
from dataclasses import dataclass

from models.errors import QuestionError
from models.limits import LONGEST_S

MAX_ITEMS = 64

_TOKEN = re.compile(
    r"\(\?(?P<condition>\d+)\)|\(\?t(?P<compared><=|>=|==|<|>)(?P<seconds>\d+)\)|(?P<any_number>\.\*)|(?P<any_one>\.)"
)


@dataclass(frozen=True)
class PatternItem:
    """One event of a pattern: the condition it meets (from 1; None: any event), and how it follows the one before.

    `follows_at_once`: nothing lies between them. Otherwise from `min_us` to `max_us` microseconds (None: without end)
    may lie between them, and any events.
    """

    condition: int | None
    follows_at_once: bool = True
    min_us: int = 0
    max_us: int | None = None


def parse_pattern(pattern: str, condition_count: int) -> tuple[PatternItem, ...]:
    """The events of a pattern in their order; raises QuestionError with the place where it cannot be read."""
    items: list[PatternItem] = []
    way: dict[str, int | bool | None] = {}
    position = 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            raise QuestionError(
                f"The pattern {pattern!r} cannot be read from {pattern[position:]!r} on: "
                "it is made of (?1), ., .* and (?t<=60)."
            )
        position = token.end()
        if token["any_number"]:
            way = {"follows_at_once": False, **way}
        elif token["compared"]:
            if not items or "min_us" in way:
                raise QuestionError(f"{token[0]!r} in {pattern!r} compares the time between two events: put it there.")
            way = {"follows_at_once": False, **_bounds(token["compared"], int(token["seconds"]))}
        else:
            number = int(token["condition"]) if token["condition"] else None
            if number is not None and not 1 <= number <= condition_count:
                raise QuestionError(f"{token[0]!r} in {pattern!r} means none of the {condition_count} conditions.")
            items.append(PatternItem(number, **(way if items else {})))  # type: ignore[arg-type]  # by name, as above
            way = {}
    if "min_us" in way:
        raise QuestionError(f"The pattern {pattern!r} ends with a time: an event must follow it.")
    if not any(item.condition for item in items) or len(items) > MAX_ITEMS:
        raise QuestionError(f"The pattern {pattern!r} needs 1 to {MAX_ITEMS} events, and a condition such as (?1).")
    return tuple(items)


def _bounds(compared: str, seconds: int) -> dict[str, int | None]:
    us = min(seconds, LONGEST_S) * 1_000_000
    least = {"<=": 0, "<": 0, ">=": us, ">": us + 1, "==": us}[compared]
    most = {"<=": us, "<": us - 1, "==": us}.get(compared)
    return {"min_us": least, "max_us": most}
