"""The sales path as a question: its stages, the rows of its answer, and whom one may ask for."""

from dataclasses import dataclass
from typing import Literal, get_args

from models.errors import QuestionError, require_choice
from models.limits import LONGEST_S
from models.matching import Stage
from models.parts import Part
from models.questions import Question

MAX_STAGES = 30
CountedSubjects = Literal["reached", "entered", "furthest_here", "skipped", "out_of_order"]


@dataclass(frozen=True)
class SalesPathQuestion(Question):
    """How far subjects came along the stages; without any, along those of the project.

    With `conversion_window_s`, an entry more than that many seconds after the subject's earliest entry does not count.
    """

    stages: tuple[Stage, ...] = ()
    conversion_window_s: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.stages) > MAX_STAGES:
            raise QuestionError(f"A sales path has 1 to {MAX_STAGES} stages, not {len(self.stages)}.")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise QuestionError(f"Two stages share a name in {names!r}: give each its own.")
        if self.conversion_window_s is not None and not 0 < self.conversion_window_s <= LONGEST_S:
            given = self.conversion_window_s
            raise QuestionError(
                f"conversion_window_s is {given!r}: give seconds, more than 0, or leave it out for none."
            )


@dataclass(frozen=True)
class SalesPathRow:
    """One stage of the path, in numbers of subjects.

    entered: were in it; reached: their furthest stage is this one or a later one; furthest_here: exactly this one;
    skipped: came further without ever entering it; out_of_order: entered it before some earlier stage that they also
    entered. Rates are 0..1 of reached, null where there is nobody to convert. The median, in seconds, is over those
    who entered the directly preceding stage and then this one. Everyone on the path reached the first stage.
    """

    stage_index: int
    stage_name: str
    entered: int
    reached: int
    furthest_here: int
    skipped: int
    out_of_order: int
    conversion_rate: float | None
    step_conversion_rate: float | None
    median_time_from_previous_s: float | None


@dataclass(frozen=True)
class SalesPathNumber(Part):
    """The subjects of one column (`counted`) of one stage, the first being 1: everyone on the path has reached it."""

    stage_index: int = 1
    counted: CountedSubjects = "reached"

    def __post_init__(self) -> None:
        require_choice("counted", self.counted, get_args(CountedSubjects))
