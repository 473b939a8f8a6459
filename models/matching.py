"""Which events a question means: event names, filters on their properties, and the steps and stages made of them.

Matching never fails on what events lack: a missing property equals nothing and contains nothing.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from models.errors import QuestionError, require_choice

Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "contains", "not_contains", "is_set", "is_not_set"]
Scalar = str | bool | int | float
SubjectKind = Literal["person", "account"]

EQUALITY_OPERATORS = ("eq", "neq")
ORDER_OPERATORS = ("gt", "gte", "lt", "lte")
PRESENCE_OPERATORS = ("is_set", "is_not_set")


@dataclass(frozen=True)
class PropertyFilter:
    """A condition on one event property.

    eq and contains compare as text (true equals "true", 95 equals "95"), contains ignores case, and eq with several
    values means any of them. neq and not_contains are their exact opposites, so they hold where the property is
    missing. gt, gte, lt and lte compare as numbers; is_set and is_not_set take no value.
    """

    property: str
    op: Operator = "eq"
    value: Scalar | tuple[Scalar, ...] | None = None

    def __post_init__(self) -> None:
        require_choice("op", self.op, get_args(Operator))
        if self.op in PRESENCE_OPERATORS:
            if self.value is not None:
                raise QuestionError(f"{self.op!r} on {self.property!r} takes no value: leave it out.")
            return
        if self.value is None or self.value == ():
            raise QuestionError(f"{self.op!r} on {self.property!r} needs a value; use 'is_set' to ask for any.")
        values = wanted_values(self)
        if isinstance(self.value, tuple) and self.op not in EQUALITY_OPERATORS:
            raise QuestionError(f"{self.op!r} on {self.property!r} takes one value; only eq and neq take several.")
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            raise QuestionError(f"{self.op!r} on {self.property!r} needs finite numbers.")
        if self.op in ORDER_OPERATORS and not _is_number(values[0]):
            raise QuestionError(f"{self.op!r} on {self.property!r} compares numbers: {self.value!r} is not one.")


@dataclass(frozen=True)
class EventMatch:
    """Events of one name (None: any event) whose properties pass every filter."""

    event: str | None
    where: tuple[PropertyFilter, ...] = ()

    def __post_init__(self) -> None:
        if self.event == "":
            raise QuestionError("An event needs a name: leave it null to mean any event.")

    @property
    def label(self) -> str:
        """The event's name as people read it."""
        return self.event or "any event"


ANY_EVENT = EventMatch(event=None)


@dataclass(frozen=True)
class Step:
    """A step of a funnel: an event that matches any of the alternatives takes it."""

    any_of: tuple[EventMatch, ...]
    name: str | None = None

    def __post_init__(self) -> None:
        if not self.any_of:
            raise QuestionError("A step needs at least one event that takes it.")

    @classmethod
    def of(cls, event: str | None, *where: PropertyFilter, name: str | None = None) -> "Step":
        """A step taken by one event (None: any event)."""
        return cls(any_of=(EventMatch(event, where),), name=name)

    @property
    def label(self) -> str:
        """The step's name, or its events' names where it has none."""
        return self.name or " or ".join(match.label for match in self.any_of)


@dataclass(frozen=True)
class Stage:
    """A stage of the sales path: an event that matches any of the alternatives enters it."""

    name: str
    any_of: tuple[EventMatch, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise QuestionError("A stage needs a name.")
        if not self.any_of:
            raise QuestionError(f"The stage {self.name!r} needs at least one event that enters it.")

    @classmethod
    def of(cls, name: str, event: str | None, *where: PropertyFilter) -> "Stage":
        """A stage entered by one event (None: any event)."""
        return cls(name=name, any_of=(EventMatch(event, where),))


def wanted_values(condition: PropertyFilter) -> tuple[Scalar, ...]:
    """The values a filter asks for: a tuple also when there is only one."""
    if condition.value is None:
        return ()
    return condition.value if isinstance(condition.value, tuple) else (condition.value,)


def _is_number(value: Scalar) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False
