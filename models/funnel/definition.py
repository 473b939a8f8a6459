"""The definition of a funnel that all its questions share: steps, their order, the window, exclusions, the split."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

from models.breakdown import Breakdown
from models.errors import QuestionError, require_choice
from models.filters import Filter, PropertyOf
from models.limits import LONGEST_S, MAX_OPTIONAL_STEPS
from models.matching import EventMatch, Step
from models.parts import Part
from models.questions import Question

Order = Literal["ordered", "strict", "unordered"]
StepOccurrence = Literal["all", "first_time", "first_ever"]
Attribution = Literal["first_touch", "last_touch", "all_events", "step"]

DAY_S = 24 * 60 * 60
MAX_STEPS = 30


@dataclass(frozen=True)
class FunnelStep(Step):
    """A step of a funnel: an event that matches any of the alternatives takes it.

    An `optional` step may be skipped. `occurrence` says which events of each person (by account: of each account) can
    take it: "all", only its "first_time" (the first of all time that matches with its filters), or only its
    "first_ever" (the first of all time of that name, which must then pass the filters). `held` names this step's
    property where the funnel holds one constant and the step calls it otherwise.
    """

    _: KW_ONLY
    optional: bool = False
    occurrence: StepOccurrence = "all"
    held: PropertyOf | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("occurrence", self.occurrence, get_args(StepOccurrence))

    @property
    def event_names(self) -> set[str | None]:
        """The names of the events that can take it; None stands for all."""
        return {match.event for match in self.any_of}


@dataclass(frozen=True)
class Exclusion(Part):
    """Events that void an attempt when they come after its `from_step` and before its `to_step`, counted from 1.

    `to_step` null is the last step. In a funnel without order the stretch is always the whole attempt.
    """

    any_of: tuple[EventMatch, ...]
    from_step: int = 1
    to_step: int | None = None

    def __post_init__(self) -> None:
        if not self.any_of:
            raise QuestionError("An exclusion needs at least one event that excludes.")

    @classmethod
    def of(cls, event: str, *where: Filter, from_step: int = 1, to_step: int | None = None) -> "Exclusion":
        """An exclusion by one event."""
        return cls((EventMatch(event, where),), from_step, to_step)


@dataclass(frozen=True)
class FunnelDefinition(Question):
    """A funnel, and how its attempts are judged (docs/concepts/funnel.md).

    A step counts when it comes at most `conversion_window_s` seconds after the attempt's first event and, with
    `same_day`, on that event's local day. With `extend_over_end` only the first step must lie in the period: later
    ones may follow it within the window. `hold_constant` names a property that all steps of an attempt must carry with
    the same value. `attribution` says which of a subject's values count for the `breakdown`: "step" takes those of
    `attribution_step`, counted from 1.
    """

    steps: tuple[FunnelStep, ...]
    _: KW_ONLY
    order: Order = "ordered"
    conversion_window_s: float = 14 * DAY_S
    same_day: bool = False
    extend_over_end: bool = False
    exclusions: tuple[Exclusion, ...] = ()
    hold_constant: PropertyOf | None = None
    breakdown: Breakdown | None = None
    attribution: Attribution = "first_touch"
    attribution_step: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("order", self.order, get_args(Order))
        if not 1 <= len(self.steps) <= MAX_STEPS:
            raise QuestionError(f"A funnel has 1 to {MAX_STEPS} steps, not {len(self.steps)}.")
        if not 0 < self.conversion_window_s <= LONGEST_S:
            raise QuestionError(
                f"conversion_window_s is {self.conversion_window_s!r}: give seconds, more than 0 and at most 100 years."
            )
        self._require_optional_steps_fit()
        for exclusion in self.exclusions:
            self._require_stretch(exclusion)
        if self.hold_constant is None and not (self._all_or_none_held()):
            raise QuestionError("To hold a property constant, name it in hold_constant or in `held` of every step.")
        self._require_attribution()

    @property
    def held(self) -> tuple[PropertyOf, ...]:
        """The property held constant, as each step calls it; empty where none is."""
        named = [step.held or self.hold_constant for step in self.steps]
        return tuple(each for each in named if each is not None)

    @property
    def has_optional(self) -> bool:
        """Whether any step may be skipped."""
        return any(step.optional for step in self.steps)

    def last_required_before(self, index: int) -> int | None:
        """The nearest step before the one of that index (from 1) that cannot be skipped; None before the first."""
        required = [place for place, step in enumerate(self.steps[: index - 1], start=1) if not step.optional]
        return required[-1] if required else None

    def require_step(self, field: str, index: int) -> None:
        """Raise QuestionError unless the funnel has a step of that index."""
        if not 1 <= index <= len(self.steps):
            raise QuestionError(f"{field} is {index}: this funnel's steps are 1 to {len(self.steps)}.")

    def _all_or_none_held(self) -> bool:
        return len({step.held is None for step in self.steps}) == 1

    def _require_optional_steps_fit(self) -> None:
        if self.steps[0].optional:
            raise QuestionError("The first step cannot be optional: it is what starts an attempt.")
        optional_count = sum(step.optional for step in self.steps)
        if optional_count > MAX_OPTIONAL_STEPS:
            raise QuestionError(f"A funnel has at most {MAX_OPTIONAL_STEPS} optional steps, not {optional_count}.")
        if self.has_optional and self.order == "unordered":
            raise QuestionError("Optional steps need an order: ask 'ordered' or 'strict', or leave them out.")

    def _require_stretch(self, exclusion: Exclusion) -> None:
        to_step = len(self.steps) if exclusion.to_step is None else exclusion.to_step
        self.require_step("from_step of an exclusion", exclusion.from_step)
        self.require_step("to_step of an exclusion", to_step)
        whole = (exclusion.from_step, to_step) == (1, len(self.steps))
        if self.order == "unordered":
            if not whole:
                raise QuestionError("Without order an exclusion covers the whole attempt: leave out its steps.")
        elif exclusion.from_step >= to_step:
            raise QuestionError(
                f"An exclusion lies between two steps: from_step {exclusion.from_step} must come before {to_step}."
            )

    def _require_attribution(self) -> None:
        require_choice("attribution", self.attribution, get_args(Attribution))
        if self.breakdown is None and (self.attribution != "first_touch" or self.attribution_step is not None):
            raise QuestionError("An attribution says which values a breakdown takes: name one in breakdown.")
        if (self.attribution == "step") != (self.attribution_step is not None):
            raise QuestionError("attribution 'step' and attribution_step belong together: give both or none.")
        if self.attribution_step is not None:
            self.require_step("attribution_step", self.attribution_step)
