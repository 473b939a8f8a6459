"""Which events a question means: event names, filters on their properties, and the steps and stages made of them.

Matching never fails on what events lack: a missing property equals nothing and contains nothing.
"""

from dataclasses import dataclass
from typing import Self

from models.errors import QuestionError
from models.filters import Filter
from models.parts import Part


@dataclass(frozen=True)
class EventMatch(Part):
    """Events of one name (None: any event) whose properties pass every filter."""

    event: str | None
    where: tuple[Filter, ...] = ()

    def __post_init__(self) -> None:
        if self.event == "":
            raise QuestionError("An event needs a name: leave it null to mean any event.")

    @property
    def label(self) -> str:
        """The event's name as people read it."""
        return self.event or "any event"


ANY_EVENT = EventMatch(event=None)


@dataclass(frozen=True)
class Step(Part):
    """A step of a funnel: an event that matches any of the alternatives takes it."""

    any_of: tuple[EventMatch, ...]
    name: str | None = None

    def __post_init__(self) -> None:
        if not self.any_of:
            raise QuestionError("A step needs at least one event that takes it.")

    @classmethod
    def of(cls, event: str | None, *where: Filter, name: str | None = None) -> Self:
        """A step taken by one event (None: any event)."""
        return cls(any_of=(EventMatch(event, where),), name=name)

    @property
    def label(self) -> str:
        """The step's name, or its events' names where it has none."""
        return self.name or " or ".join(match.label for match in self.any_of)


@dataclass(frozen=True)
class Stage(Part):
    """A stage of the sales path: an event that matches any of the alternatives enters it."""

    name: str
    any_of: tuple[EventMatch, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise QuestionError("A stage needs a name.")
        if not self.any_of:
            raise QuestionError(f"The stage {self.name!r} needs at least one event that enters it.")

    @classmethod
    def of(cls, name: str, event: str | None, *where: Filter) -> "Stage":
        """A stage entered by one event (None: any event)."""
        return cls(name=name, any_of=(EventMatch(event, where),))
