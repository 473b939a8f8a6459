"""The sequence functions as questions: what they ask, and what their answers' rows are.

They have the names, modes and rules of ClickHouse's aggregate functions; each gives one result per subject, and the
answer counts the subjects of each result.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from models.breakdown import Breakdown
from models.errors import QuestionError, require_choice
from models.filters import Filter, PropertyOf
from models.matching import Step
from models.parts import Part
from models.questions import Question
from models.sequences.pattern import parse_pattern

MAX_CONDITIONS = 32
LONGEST_WINDOW_S = 1000 * 366 * 86_400.0  # more makes no difference, and leaves what an interval can hold

WindowFunnelMode = Literal[
    "strict_increase",
    "latest_only",
    "strict_once",
    "strict_deduplication",
    "level_reached",
    "strict_order",
    "allow_reentry",
    "allow_early",
]
Direction = Literal["forward", "backward"]
Base = Literal["head", "tail", "first_match", "last_match"]
GroupOfNumber = tuple[str, ...] | Literal["other"] | None

_NEEDED_BY: dict[WindowFunnelMode, WindowFunnelMode] = {
    "latest_only": "strict_increase",
    "level_reached": "strict_deduplication",
    "allow_reentry": "strict_order",
    "allow_early": "strict_order",
}


@dataclass(frozen=True, kw_only=True)
class SequenceQuestion(Question):
    """What the sequence functions share.

    A condition is met by an event that any of its alternatives means; one event may meet several. With a breakdown the
    function is computed apart inside the events of each group, so that a subject may be counted in several.
    """

    conditions: tuple[Step, ...]
    breakdown: Breakdown | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.conditions) <= MAX_CONDITIONS:
            raise QuestionError(f"Give 1 to {MAX_CONDITIONS} conditions, not {len(self.conditions)}.")


@dataclass(frozen=True, kw_only=True)
class WindowFunnelQuestion(SequenceQuestion):
    """The longest run of conditions, from the first, met in order of time within `window_s` of the first event.

    The window is elapsed time and its end belongs to it. Without modes, equal times are in order and one event may
    serve several conditions. "strict_increase": times strictly grow; with "latest_only" after the latest event of the
    condition before, so that one at the same time hides those before it. "strict_once": one event serves one condition.
    "strict_deduplication": a condition (but the first) that is met again ends it with the level of the row before;
    with "level_reached", with the level reached. "strict_order": once begun, an event that meets no condition ends it,
    one that meets a condition out of turn does, and so does the first condition after the second was met;
    "allow_reentry" lifts the last of these, "allow_early" that about turns.
    """

    window_s: float
    modes: tuple[WindowFunnelMode, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.window_s) and self.window_s > 0):
            raise QuestionError(f"window_s is {self.window_s}: give seconds above 0.")
        for mode in self.modes:
            require_choice("mode", mode, get_args(WindowFunnelMode))
            needed = _NEEDED_BY.get(mode)
            if needed is not None and needed not in self.modes:
                raise QuestionError(f"The mode {mode!r} changes what {needed!r} means: ask for both, or for neither.")

    @property
    def longest_s(self) -> float:
        """The window in seconds, as an interval of SQL can hold it."""
        return min(self.window_s, LONGEST_WINDOW_S)


@dataclass(frozen=True)
class WindowFunnelRow:
    """How many subjects reached exactly this level; level 0 met not even the first condition."""

    breakdown: tuple[str, ...] | None
    level: int
    subject_count: int


@dataclass(frozen=True)
class WindowFunnelNumber(Part):
    """Those of one level."""

    level: int | None = None
    breakdown: GroupOfNumber = None


@dataclass(frozen=True, kw_only=True)
class SequenceRetentionQuestion(SequenceQuestion):
    """Who met the first condition, and who of them met each of the others; in any order, at any time of the period."""


@dataclass(frozen=True)
class SequenceRetentionRow:
    """How many subjects met the first condition and this one (numbered from 1)."""

    breakdown: tuple[str, ...] | None
    condition: int
    subject_count: int


@dataclass(frozen=True)
class SequenceRetentionNumber(Part):
    """Those of one condition."""

    condition: int | None = None
    breakdown: GroupOfNumber = None


@dataclass(frozen=True, kw_only=True)
class SequenceMatchQuestion(SequenceQuestion):
    """Whose events contain the `pattern`.

    Events that meet no condition are dropped first. `(?1)` is an event that meets condition 1, `.` any event, `.*` any
    number of them; `(?t<=60)` (also <, >=, >, ==) lets any events lie between its neighbours, and compares the seconds
    from the one to the other.
    """

    pattern: str

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_pattern(self.pattern, len(self.conditions))


@dataclass(frozen=True)
class SequenceMatchRow:
    """How many subjects' events contain the pattern, and how many do not."""

    breakdown: tuple[str, ...] | None
    is_matched: bool
    subject_count: int


@dataclass(frozen=True)
class SequenceMatchNumber(Part):
    """Those whose events contain the pattern, or those whose do not."""

    is_matched: bool | None = True
    breakdown: GroupOfNumber = None


@dataclass(frozen=True, kw_only=True)
class SequenceCountQuestion(SequenceMatchQuestion):
    """How often the `pattern` is found in a subject's events, where found parts do not overlap."""


@dataclass(frozen=True)
class SequenceCountRow:
    """How many subjects' events contain the pattern exactly so often."""

    breakdown: tuple[str, ...] | None
    match_count: int
    subject_count: int


@dataclass(frozen=True)
class SequenceCountNumber(Part):
    """Those whose events contain it so often."""

    match_count: int | None = None
    breakdown: GroupOfNumber = None


@dataclass(frozen=True, kw_only=True)
class SequenceNextNodeQuestion(SequenceQuestion):
    """What comes after a chain of events that follow each other immediately, each meeting the next condition.

    The chain begins at the base: the subject's first event ("head") or last ("tail"), or its first or last event that
    meets the first condition; the base must pass all filters of `base_where`. `direction` "backward" goes back in time.
    `node` names what comes: a property of the event, its name where none is given. Every event seen counts as one, so
    narrow them by `where`.
    """

    direction: Direction = "forward"
    base: Base = "head"
    base_where: tuple[Filter, ...] = ()
    node: PropertyOf | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("direction", self.direction, get_args(Direction))
        require_choice("base", self.base, get_args(Base))
        if (self.direction, self.base) in (("forward", "tail"), ("backward", "head")):
            raise QuestionError(f"Nothing lies {self.direction} of the {self.base}: turn one of the two round.")


@dataclass(frozen=True)
class SequenceNextNodeRow:
    """How many subjects have this node next; `has_next` is false where no chain was found or nothing comes after it."""

    breakdown: tuple[str, ...] | None
    has_next: bool
    next_node: str | None
    subject_count: int


@dataclass(frozen=True)
class SequenceNextNodeNumber(Part):
    """Those who have this node next; all who have one, or none, where no node is named."""

    next_node: str | None = None
    has_next: bool | None = None
    breakdown: GroupOfNumber = None
