"""Time to convert: how long subjects need from one step of a funnel to another, as average, median and histogram."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from sqlglot import exp

from models.errors import QuestionError
from models.funnel.definition import FunnelDefinition
from models.funnel.layout import step_column
from models.funnel.speaking import best_of_shown, reread, shown_ctes, speaking_ctes
from models.funnel.trend import require_measured_steps
from models.groups import group_as_shown
from models.parts import Part
from models.questions import QuestionKind, Scope, Statement
from models.sql import fragment, literal, select

MAX_BINS = 60
MIN_BIN_S = 60


@dataclass(frozen=True)
class TimeToConvertQuestion(FunnelDefinition):
    """How long subjects need from `from_step` to `to_step`, counted from 1; `to_step` null is the last step.

    One value for each subject that took both, from the attempt that speaks for it. Without `bins` there are as many as
    the cube root of the number of values, rounded up.
    """

    _: KW_ONLY
    from_step: int = 1
    to_step: int | None = None
    bins: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_measured_steps(self, self.from_step, self.to_step)
        if self.bins is not None and not 1 <= self.bins <= MAX_BINS:
            raise QuestionError(f"bins is {self.bins}: ask for 1 to {MAX_BINS}.")


@dataclass(frozen=True)
class TimeToConvertRow:
    """One bin of one group: `subject_count` needed at least `bin_start_s` seconds and less than `bin_end_s`.

    `all_subject_count` and the times are the group's, the same in each of its bins; times are in seconds.
    """

    breakdown: tuple[str, ...] | None
    bin_start_s: int
    bin_end_s: int
    subject_count: int
    all_subject_count: int
    average_s: float
    median_s: float
    shortest_s: float
    longest_s: float


@dataclass(frozen=True)
class TimeToConvertNumber(Part):
    """Who needed a time of the bin that starts there; of all bins where it is null."""

    bin_start_s: int | None = None
    breakdown: tuple[str, ...] | Literal["other"] | None = None


_TIMES = """
select subject_id, breakdown, epoch_us($to_at) - epoch_us($from_at) as time_us
from spoken_attempts
where $to_at is not null and $from_at is not null
"""

_GROUPS = """
select
    *,
    cast(greatest($min_bin_s, ceil((ceil(longest_us / 1000000) - lowest_s) / bin_count)) as bigint) as width_s
from (
    select
        breakdown,
        count(*) as all_subject_count,
        $bins as bin_count,
        cast(floor(min(time_us) / 1000000) as bigint) as lowest_s,
        min(time_us) as shortest_us,
        max(time_us) as longest_us,
        avg(time_us) / 1000000 as average_s,
        median(time_us) / 1000000 as median_s
    from times
    group by breakdown
) as groups
"""

_BINNED = """
select
    times.subject_id,
    times.breakdown,
    groups.lowest_s
        + cast(floor((times.time_us / 1000000 - groups.lowest_s) / groups.width_s) as bigint) * groups.width_s
        as bin_start_s
from times
inner join groups on times.breakdown = groups.breakdown
"""

# One bin more than asked for: the longest time may stand at the end of the last one, alone.
_BINS = """
select *, lowest_s + unnest(range(bin_count + 1)) * width_s as bin_start_s
from groups
"""

_ROWS = """
select
    $shown as breakdown,
    bins.bin_start_s,
    bins.bin_start_s + bins.width_s as bin_end_s,
    count(binned.subject_id) as subject_count,
    bins.all_subject_count,
    bins.average_s,
    bins.median_s,
    bins.shortest_us / 1000000 as shortest_s,
    bins.longest_us / 1000000 as longest_s
from bins
left join binned
    on bins.breakdown = binned.breakdown and bins.bin_start_s = binned.bin_start_s
group by
    bins.breakdown,
    bins.bin_start_s,
    bins.width_s,
    bins.all_subject_count,
    bins.average_s,
    bins.median_s,
    bins.shortest_us,
    bins.longest_us
order by $shown is null, bins.all_subject_count desc, breakdown, bins.bin_start_s
"""

_PEOPLE = "select subject_id, $shown as breakdown, bin_start_s from binned"


def build_time_to_convert(question: TimeToConvertQuestion, scope: Scope) -> Statement:
    """The statement of a time to convert; raises QuestionError."""
    ctes = speaking_ctes(question, scope)
    steps = {
        "from_at": exp.column(step_column(question.from_step)),
        "to_at": exp.column(step_column(question.to_step or len(question.steps))),
    }
    took_both = "select breakdown from speaking_attempts where $to_at is not null and $from_at is not null"
    sized = select(took_both, **steps)
    ctes |= shown_ctes(question, "speaking_attempts", sized) | best_of_shown(question)
    ctes["times"] = select(_TIMES, **steps)
    cube_root = f"cast(least({MAX_BINS}, ceil(round(cbrt(count(*)), 9))) as bigint)"
    bins = literal(question.bins) if question.bins is not None else fragment(cube_root)
    ctes["groups"] = select(_GROUPS, bins=bins, min_bin_s=MIN_BIN_S)
    ctes["binned"] = select(_BINNED)
    ctes["bins"] = select(_BINS)
    people = select(_PEOPLE, shown=group_as_shown(question.breakdown, "binned"))
    rows = select(_ROWS, shown=group_as_shown(question.breakdown, "bins"))
    return Statement(ctes, rows, people, reread(ctes, rows))


TIME_TO_CONVERT = QuestionKind(
    name="time-to-convert",
    summary="How long subjects need from one step of a funnel to another: average, median and histogram.",
    question=TimeToConvertQuestion,
    row=TimeToConvertRow,
    number=TimeToConvertNumber,
    build=build_time_to_convert,
)
