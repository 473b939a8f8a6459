"""The funnel: how many subjects take each step, how many drop out before it, and how long they need."""

from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from models.funnel.definition import FunnelDefinition
from models.funnel.layout import Layout, step_column
from models.funnel.speaking import best_of_shown, reread, shown_ctes, speaking_ctes
from models.groups import all_groups, group_as_shown
from models.parts import Part
from models.questions import QuestionKind, Scope, Statement
from models.sql import select, union_all, values_table

Outcome = Literal["converted", "dropped"]


@dataclass(frozen=True)
class FunnelQuestion(FunnelDefinition):
    """How many go from step to step; see FunnelDefinition."""


@dataclass(frozen=True)
class FunnelRow:
    """One step of one group: `subject_count` took it.

    `dropped_count` took the step before it (the last one that is not optional) and not this one. Rates are 0..1, over
    the first step and over that step before; null where nobody could have converted. The times are seconds since the
    previous step that a subject took, over the subjects counted; the first step has none.
    """

    breakdown: tuple[str, ...] | None
    step_index: int
    step_name: str
    subject_count: int
    dropped_count: int | None
    conversion_rate: float | None
    step_conversion_rate: float | None
    median_time_from_previous_s: float | None
    average_time_from_previous_s: float | None


@dataclass(frozen=True)
class FunnelNumber(Part):
    """Who took a step, counted from 1, or dropped out before it; of one group where there is a breakdown."""

    step_index: int
    outcome: Outcome = "converted"
    breakdown: tuple[str, ...] | Literal["other"] | None = None


_STEP_TOTALS = """
select
    groups.breakdown,
    steps.step_index,
    steps.step_name,
    steps.base_step_index,
    count(*) filter (where outcomes.outcome = 'converted') as subject_count,
    median(outcomes.from_previous_us) / 1000000 as median_time_from_previous_s,
    avg(outcomes.from_previous_us) / 1000000 as average_time_from_previous_s
from groups
cross join steps
left join outcomes
    on groups.breakdown = outcomes.breakdown and steps.step_index = outcomes.step_index
group by groups.breakdown, steps.step_index, steps.step_name, steps.base_step_index
"""

_ROWS = """
select
    $shown as breakdown,
    step.step_index,
    step.step_name,
    step.subject_count,
    coalesce(dropped.subject_count, 0) as dropped_count,
    step.subject_count / nullif(entry.subject_count, 0) as conversion_rate,
    step.subject_count / nullif(base.subject_count, 0) as step_conversion_rate,
    step.median_time_from_previous_s,
    step.average_time_from_previous_s
from step_totals as step
inner join step_totals as entry
    on step.breakdown = entry.breakdown and entry.step_index = 1
left join step_totals as base
    on step.breakdown = base.breakdown and step.base_step_index = base.step_index
left join (
    select breakdown, step_index, count(*) as subject_count
    from outcomes
    where outcome = 'dropped'
    group by breakdown, step_index
) as dropped
    on step.breakdown = dropped.breakdown and step.step_index = dropped.step_index
order by $shown is null, entry.subject_count desc, breakdown, step.step_index
"""

_PEOPLE = "select subject_id, $shown as breakdown, step_index, outcome from outcomes"


def build_funnel(question: FunnelQuestion, scope: Scope) -> Statement:
    """The statement of a funnel; raises QuestionError."""
    layout = Layout(question)
    ctes: dict[str, exp.Query] = speaking_ctes(question, scope)
    sized = select("select breakdown from speaking_attempts")
    ctes |= shown_ctes(question, "speaking_attempts", sized) | best_of_shown(question)
    ctes["outcomes"] = union_all([_outcomes(layout, index) for index in layout.indexes])
    ctes["steps"] = values_table("named_steps", ("step_index", "step_name", "base_step_index"), _steps(question))
    ctes["groups"] = all_groups(question.breakdown, "spoken_attempts")
    ctes["step_totals"] = select(_STEP_TOTALS)
    people = select(_PEOPLE, shown=group_as_shown(question.breakdown, "outcomes"))
    rows = select(_ROWS, shown=group_as_shown(question.breakdown, "step"))
    return Statement(ctes, rows, people, reread(ctes, rows))


def _steps(question: FunnelQuestion) -> list[tuple[int, str, int]]:
    """The first step is its own base, which no other step can be mistaken for: 0 stands for none."""
    names = [step.label for step in question.steps]
    if question.order == "unordered":
        names = ["any step", *(f"any {count} steps" for count in range(2, len(names) + 1))]
    return [(index, name, question.last_required_before(index) or 0) for index, name in enumerate(names, start=1)]


def _outcomes(layout: Layout, index: int) -> exp.Select:
    """Who took the step and who dropped out before it, with the time since the previous step that was taken."""
    own = step_column(index)
    earlier = [step_column(each) for each in reversed(layout.indexes[: index - 1])]
    previous = f"coalesce({', '.join(earlier)})" if len(earlier) > 1 else "".join(earlier)
    since = f"epoch_us({own}) - epoch_us({previous})" if earlier else "cast(null as bigint)"
    base = layout.definition.last_required_before(index)
    came = f"{step_column(base)} is not null" if base else f"{own} is not null"
    return select(
        f"""
        select
            subject_id,
            breakdown,
            {index} as step_index,
            case when {own} is null then 'dropped' else 'converted' end as outcome,
            {since} as from_previous_us
        from spoken_attempts
        where {came} or {own} is not null
        """
    )


FUNNEL = QuestionKind(
    name="funnel",
    summary="How many subjects go from step to step within a window, and how long they need.",
    question=FunnelQuestion,
    row=FunnelRow,
    number=FunnelNumber,
    build=build_funnel,
)
