"""A distribution as one SQL statement: one amount per subject, counted in buckets over the grid of intervals."""

from collections.abc import Mapping

from sqlglot import exp

from models.conditions import matches_any
from models.distribution.question import OF_TIME, DistributionMeasure, DistributionQuestion, bounds_of
from models.groups import all_groups, beside_kept_groups, group_as_shown, group_key, joined_group, kept_groups
from models.questions import Scope, SeenEvents, Statement
from models.slots import INTERVAL_CTES, in_interval, interval_ctes, numbers_of_slots, slot_of, span_of
from models.sql import fragment, literal, select, union_all

_AMOUNTS: Mapping[DistributionMeasure, str] = {
    "total": "count(*)",
    "hours": "count(distinct interval_number)",
    "days": "count(distinct interval_number)",
    "weeks": "count(distinct interval_number)",
    "months": "count(distinct interval_number)",
    "sum": "fsum(measured)",
    "average": "favg(measured)",
    "min": "min(measured)",
    "max": "max(measured)",
    "distinct": "count(distinct measured)",
}
_SUBJECTS = """
select interval_index, breakdown, subject_id, cast($amount as double) as amount
from placed_events
group by interval_index, breakdown, subject_id
"""
_BUCKETED = "select *, $bucket_index as bucket_index from subject_amounts"
_COUNTED = """
select interval_index, breakdown, bucket_index, count(*) as subject_count
from bucketed_subjects
group by interval_index, breakdown, bucket_index
"""
_SUMMARIES = """
select
    interval_index,
    breakdown,
    count(*) as all_subject_count,
    favg(amount) as average,
    quantile_cont(amount, 0.5) as median
from bucketed_subjects
group by interval_index, breakdown
"""
_ROWS = """
select
    intervals.interval_start,
    $shown as breakdown,
    buckets.bucket_index,
    buckets.bucket_from,
    buckets.bucket_to,
    coalesce(counted.subject_count, 0) as subject_count,
    coalesce(counted.subject_count, 0) / summaries.all_subject_count as subject_rate,
    coalesce(summaries.all_subject_count, 0) as all_subject_count,
    summaries.average,
    summaries.median
from intervals
cross join groups
cross join buckets
left join counted
    on intervals.interval_index = counted.interval_index
    and groups.breakdown = counted.breakdown
    and buckets.bucket_index = counted.bucket_index
left join summaries
    on intervals.interval_index = summaries.interval_index
    and groups.breakdown = summaries.breakdown
order by intervals.interval_index, breakdown nulls last, buckets.bucket_index
"""
_PEOPLE = """
select bucketed_subjects.* replace ($shown as breakdown), intervals.interval_start
from bucketed_subjects
inner join intervals on bucketed_subjects.interval_index = intervals.interval_index
"""
_BUCKET = """
select
    $index as bucket_index,
    cast($lowest as double) as bucket_from,
    cast($highest as double) as bucket_to
"""


def build_distribution(question: DistributionQuestion, scope: Scope) -> Statement:
    """The distribution's statement; raises QuestionError where the scope lacks what it needs."""
    seen = SeenEvents(question, scope)
    events, unit = _events(question, seen), OF_TIME.get(question.measure)
    is_open = question.interval is not None and not (question.period.start and question.period.end)
    ctes: dict[str, exp.Query] = {"extent": _extent(question, seen)} if unit or is_open else {}
    span = span_of(question.period, seen.calendar, "extent" if is_open else None)
    ctes |= interval_ctes([span], question.interval, seen.calendar)
    ctes |= kept_groups(question.breakdown, events)
    if unit:
        ctes["numbers_of_slots"] = numbers_of_slots("extent", unit, seen.calendar)
    ctes |= {
        "counted_events": events.copy(),
        "placed_events": _placed_events(question),
        "subject_amounts": select(_SUBJECTS, amount=fragment(_AMOUNTS[question.measure])),
        "bucketed_subjects": select(_BUCKETED, bucket_index=_bucket_index(question)),
        "buckets": union_all([_bucket(*bounds) for bounds in bounds_of(question)]),
        "counted": select(_COUNTED),
        "summaries": select(_SUMMARIES),
        "groups": all_groups(question.breakdown, "counted"),
    }
    return Statement(
        ctes={**seen.ctes, **ctes},
        rows=select(_ROWS, shown=group_as_shown(question.breakdown, "groups")),
        people=select(_PEOPLE, shown=group_as_shown(question.breakdown, "bucketed_subjects")),
        materialized=(*INTERVAL_CTES, "kept_groups", "numbers_of_slots", "bucketed_subjects", "counted"),
    )


def _events(question: DistributionQuestion, seen: SeenEvents) -> exp.Select:
    values = {
        "event_at": exp.column("event_at", table="events"),
        "breakdown": group_key(question.breakdown, seen.columns),
        "measured": literal(None),
    }
    where = [matches_any(question.any_of, seen.columns)]
    if question.property:
        read = seen.columns.text if question.measure == "distinct" else seen.columns.number
        values["measured"] = read(question.property)
        where.append(fragment("$measured is not null", measured=values["measured"]))
    return seen.rows(values, where)


def _extent(question: DistributionQuestion, seen: SeenEvents) -> exp.Select:
    """When the events happened: a scan of nothing else, so that they need not be kept."""
    meant = matches_any(question.any_of, seen.columns)
    return seen.rows({"event_at": exp.column("event_at", table="events")}, [meant])


def _placed_events(question: DistributionQuestion) -> exp.Select:
    placed = select("select subject_id, measured from counted_events")
    placed = beside_kept_groups(placed, question.breakdown).select(joined_group(question.breakdown), copy=False)
    placed = in_interval(placed, exp.column("event_at"), question.interval)
    unit = OF_TIME.get(question.measure)
    if unit is None:
        return placed
    same_slot = fragment("numbers_of_slots.slot = $slot", slot=slot_of(exp.column("event_at"), unit))
    return placed.join("numbers_of_slots", on=same_slot, join_type="inner").select(
        "numbers_of_slots.interval_number", copy=False
    )


def _bucket_index(question: DistributionQuestion) -> exp.Expr:
    case = exp.Case()
    for index, boundary in enumerate(question.buckets):
        case.when(fragment("amount < $boundary", boundary=float(boundary)), literal(index), copy=False)
    return case.else_(literal(len(question.buckets)), copy=False)


def _bucket(index: int, lowest: float | None, highest: float | None) -> exp.Select:
    return select(_BUCKET, index=index, lowest=literal(lowest), highest=literal(highest))
