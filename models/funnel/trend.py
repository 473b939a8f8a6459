"""A funnel over time: in each interval, how many of the attempts that begin in it convert."""

from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Literal

from sqlglot import exp

from models.calendar import Calendar, Interval
from models.errors import QuestionError
from models.funnel.definition import FunnelDefinition
from models.funnel.layout import step_column
from models.funnel.speaking import judged_ctes, reread, shown_ctes
from models.groups import all_groups, group_as_shown
from models.intervals import interval_at, interval_number, last_moment, number_of_moment, require_few_intervals
from models.parts import Part
from models.questions import QuestionKind, Scope, Statement
from models.sql import fragment, select

Reached = Literal["from", "to"]


@dataclass(frozen=True)
class FunnelTrendQuestion(FunnelDefinition):
    """How many convert from `from_step` to `to_step`, counted from 1, by the `interval` in which they began.

    `to_step` null is the last step. Every clean attempt belongs to the interval of its first event, whichever steps are
    measured, so a subject can count in several intervals, once in each.
    """

    _: KW_ONLY
    interval: Interval = "day"
    from_step: int = 1
    to_step: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_few_intervals(self.interval, self.period)
        if len(self.steps) > 1:  # a funnel of one step has its trend, too: who began
            require_measured_steps(self, self.from_step, self.to_step)


def require_measured_steps(definition: FunnelDefinition, from_step: int, to_step: int | None) -> None:
    """Raise QuestionError unless both are steps of the funnel, one before the other."""
    last = len(definition.steps) if to_step is None else to_step
    definition.require_step("from_step", from_step)
    definition.require_step("to_step", last)
    if from_step >= last:
        raise QuestionError(f"What is measured lies between two steps: from_step {from_step} must come before {last}.")


@dataclass(frozen=True)
class FunnelTrendRow:
    """One interval of one group, by its local start: who came to `from_step`, who to `to_step`, and the rate, 0..1."""

    breakdown: tuple[str, ...] | None
    interval_start: datetime
    from_count: int
    to_count: int
    conversion_rate: float | None


@dataclass(frozen=True)
class FunnelTrendNumber(Part):
    """Who, beginning in the interval of that local start, came to `from_step` or to `to_step`."""

    interval_start: datetime
    reached: Reached = "to"
    breakdown: tuple[str, ...] | Literal["other"] | None = None


_STARTED = """
select
    subject_id,
    breakdown,
    $interval_number as interval_number,
    bool_or(from_column is not null) as has_from,
    bool_or(to_column is not null) as has_to
from shown_attempts
group by subject_id, breakdown, $interval_number
"""

_INTERVALS = """
select interval_number, $interval_start as interval_start
from (select unnest(range($first, $last + 1)) as interval_number)
"""

_REACHED = """
select subject_id, breakdown, interval_number, unnest(['from', 'to']) as reached, unnest([has_from, has_to]) as has
from started
"""

_PEOPLE = """
select subject_id, $shown as breakdown, $interval_start as interval_start, reached
from reached
where has
"""

_ROWS = """
select
    $shown as breakdown,
    intervals.interval_start,
    count(*) filter (where started.has_from) as from_count,
    count(*) filter (where started.has_to) as to_count,
    count(*) filter (where started.has_to) / nullif(count(*) filter (where started.has_from), 0) as conversion_rate
from groups
cross join intervals
left join started
    on groups.breakdown = started.breakdown and intervals.interval_number = started.interval_number
group by groups.breakdown, intervals.interval_start
order by breakdown nulls last, intervals.interval_start
"""


def build_trend(question: FunnelTrendQuestion, scope: Scope) -> Statement:
    """The statement of a funnel over time; raises QuestionError."""
    ctes = judged_ctes(question, scope)
    ctes["clean_attempts"] = select("select * from judged_attempts where not is_void")
    sized = select("select subject_id, breakdown from clean_attempts")
    ctes |= shown_ctes(question, "clean_attempts", sized, size="count(distinct subject_id)")
    calendar = question.calendar(scope.calendar)
    columns = {
        "from_column": exp.column(step_column(question.from_step)),
        "to_column": exp.column(step_column(question.to_step or len(question.steps))),
    }
    number = interval_number(exp.column("started_at"), question.interval, calendar)
    text = _STARTED.replace("from_column", "$from_column").replace("to_column", "$to_column")
    ctes["started"] = select(text, interval_number=number, **columns)
    ctes["entered"] = select("select * from started where has_from")
    ctes["groups"] = all_groups(question.breakdown, "entered")
    ctes["intervals"] = _intervals(question, calendar)
    ctes["reached"] = select(_REACHED)
    people = select(
        _PEOPLE,
        shown=group_as_shown(question.breakdown, "reached"),
        interval_start=interval_at(exp.column("interval_number"), question.interval, calendar),
    )
    rows = select(_ROWS, shown=group_as_shown(question.breakdown, "groups"))
    return Statement(ctes, rows, people, reread(ctes, rows))


def _intervals(question: FunnelTrendQuestion, calendar: Calendar) -> exp.Select:
    """All intervals of the period; where it is open, from the first or to the last one in which anything began."""
    period, interval = question.period, question.interval
    period.bounds_utc(calendar)
    last = last_moment(period)
    oldest, newest = (fragment(f"(select {pick}(interval_number) from started)") for pick in ("min", "max"))
    return select(
        _INTERVALS,
        first=number_of_moment(period.start, interval, calendar) if period.start else oldest,
        last=number_of_moment(last, interval, calendar) if last else newest,
        interval_start=interval_at(exp.column("interval_number"), interval, calendar),
    )


FUNNEL_TREND = QuestionKind(
    name="funnel-trend",
    summary="How many of those who begin a funnel in each interval convert.",
    question=FunnelTrendQuestion,
    row=FunnelTrendRow,
    number=FunnelTrendNumber,
    build=build_trend,
)
