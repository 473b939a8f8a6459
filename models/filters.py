"""Conditions on what an event, its person or its account carries; nested by all_of, any_of and none_of.

A condition never fails on what is missing: a missing property equals nothing and contains nothing.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Union, get_args

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.errors import QuestionError, require_choice
from models.limits import MAX_FILTER_DEPTH
from models.parts import Part

Operator = Literal[
    "eq",
    "neq",
    "contains",
    "not_contains",
    "matches",
    "not_matches",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "within_last",
    "older_than",
    "is_true",
    "is_false",
    "is_set",
    "is_not_set",
    "is_empty",
    "is_not_empty",
]
Scalar = str | bool | int | float
PropertyOwner = Literal["event", "person", "account", "field"]
AsOf = Literal["now", "event"]
Clock = Literal["now", "event"]

SEVERAL_VALUES = ("eq", "neq")
ORDERS = ("gt", "gte", "lt", "lte")
AGES = ("within_last", "older_than")
WITHOUT_VALUE = ("is_true", "is_false", "is_set", "is_not_set", "is_empty", "is_not_empty")
CAN_NEED_VALUE = ("neq", "not_contains", "not_matches", "is_empty", "is_false")
FIELDS = ("event_name", "person_id", "account_id", "distinct_id", "source", "protocol", "sdk", "record_type")


@dataclass(frozen=True)
class PropertyOf(Part):
    """One property, and whose it is.

    `of` "event" is what the event carries, "person" and "account" what its person or its account of `account_type`
    carries, with the value of now or as of the event; "field" is a column of the view `events` (FIELDS).
    """

    property: str
    of: PropertyOwner = field(default="event", kw_only=True)
    as_of: AsOf = field(default="now", kw_only=True)
    account_type: str = field(default=DEFAULT_ACCOUNT_TYPE, kw_only=True)

    def __post_init__(self) -> None:
        if not self.property:
            raise QuestionError("A property needs a name.")
        require_choice("of", self.of, get_args(PropertyOwner))
        require_choice("as_of", self.as_of, get_args(AsOf))
        if self.of == "field":
            require_choice("property of 'field'", self.property, FIELDS)
        if self.of in ("event", "field") and self.as_of == "event":
            raise QuestionError(f"as_of 'event' asks for a value in time: {self.property!r} of the {self.of} has one.")


@dataclass(frozen=True)
class PropertyFilter(PropertyOf):
    """A condition on one property.

    eq and contains compare as text (true equals "true", 95 equals "95"), contains ignores case, and eq with several
    values means any of them; of a list, eq asks for an item. matches takes a regular expression, found anywhere. gt,
    gte, lt, lte and between (two values, both included) compare as numbers, or as moments where the value is an ISO
    8601 date or time. within_last and older_than compare a moment's age in seconds, at the time of asking or, with
    `age_at` "event", at the event's. neq, not_contains, not_matches, is_not_set, is_empty and is_false are the exact
    opposites of the others, so that they hold where the property is missing; with `needs_value` they do not.
    """

    op: Operator = "eq"
    value: Scalar | tuple[Scalar, ...] | None = None
    needs_value: bool = False
    age_at: Clock = "now"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("op", self.op, get_args(Operator))
        require_choice("age_at", self.age_at, get_args(Clock))
        said = f"{self.op!r} on {self.property!r}"
        if self.needs_value and self.op not in CAN_NEED_VALUE:
            raise QuestionError(
                f"needs_value means something with {', '.join(CAN_NEED_VALUE)}; {said} has no use for it."
            )
        if self.op in WITHOUT_VALUE:
            if self.value is not None:
                raise QuestionError(f"{said} takes no value: leave it out.")
            return
        if self.value is None or self.value == ():
            raise QuestionError(f"{said} needs a value; use 'is_set' to ask for any.")
        values = self.values
        if not all(isinstance(value, str | bool) or _is_number(value) for value in values):
            raise QuestionError(f"{said} needs finite numbers.")
        if self.op == "between":
            self._require_bounds(said)
        elif isinstance(self.value, tuple) and self.op not in SEVERAL_VALUES:
            raise QuestionError(f"{said} takes one value; only eq and neq take several.")
        if self.op in (*ORDERS, "between") and not (all(map(_is_number, values)) or all(map(_is_moment, values))):
            raise QuestionError(f"{said} compares numbers or ISO 8601 times: {self.value!r} is neither.")
        if self.op in AGES and not (_is_number(values[0]) and float(values[0]) >= 0):
            raise QuestionError(f"{said} takes an age in seconds, 0 or more: {self.value!r} is none.")

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The values asked for: a tuple also when there is only one."""
        if self.value is None:
            return ()
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @property
    def compares_moments(self) -> bool:
        """Whether an order is one of moments and not of numbers."""
        return not all(map(_is_number, self.values))

    def _require_bounds(self, said: str) -> None:
        if len(self.values) != 2:
            raise QuestionError(f"{said} takes two values, the lowest and the highest.")


@dataclass(frozen=True)
class FilterGroup(Part):
    """Conditions that must all hold, of which one must, or of which none may; exactly one of the three is given."""

    all_of: "tuple[Filter, ...] | None" = None
    any_of: "tuple[Filter, ...] | None" = None
    none_of: "tuple[Filter, ...] | None" = None

    def __post_init__(self) -> None:
        given = [members for members in (self.all_of, self.any_of, self.none_of) if members is not None]
        if len(given) != 1 or not given[0]:
            raise QuestionError("A group of filters is one of all_of, any_of and none_of, with at least one condition.")
        if self.depth > MAX_FILTER_DEPTH:
            raise QuestionError(f"Filters are nested more than {MAX_FILTER_DEPTH} groups deep: give fewer levels.")

    @property
    def depth(self) -> int:
        """How many groups stand in each other, this one included."""
        return 1 + max(each.depth if isinstance(each, FilterGroup) else 0 for each in self.members)

    @property
    def members(self) -> "tuple[Filter, ...]":
        """The conditions of the group."""
        return self.all_of or self.any_of or self.none_of or ()


# A name that dataclasses can refer to before the class is there; `X | Y` of a string is not possible.
Filter = Union[PropertyFilter, FilterGroup]  # noqa: UP007  # see the line above


def text_of(value: Scalar) -> str:
    """A value as the text it is compared by: true, 95, 1.5; whole numbers as their digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def spellings_of(value: Scalar, *, is_number: bool = False) -> tuple[str, ...]:
    """Every text a value may stand in: a number as its digits, with ".0", as 1e16 and as 1e+16.

    A text that `is_number` stands for the number that it writes.
    """
    if isinstance(value, bool) or not (is_number or isinstance(value, int | float)) or not _is_number(value):
        return (text_of(value),)
    number = float(value) + 0  # a negative zero is one as any other
    short = text_of(number)
    digits = str(int(number)) if number.is_integer() else format(Decimal(short), "f")
    with_fraction = f"{digits}.0" if number.is_integer() else digits
    return tuple(dict.fromkeys((text_of(value), short, short.replace("e+", "e"), digits, with_fraction)))


def _is_number(value: Scalar) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False


def _is_moment(value: Scalar) -> bool:
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
