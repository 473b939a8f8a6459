"""Intervals between events as one SQL statement: both events of each subject in one order, read once."""

from sqlglot import exp

from models.calendar import Period
from models.conditions import matches_any
from models.filters import PropertyOf
from models.groups import all_groups, beside_kept_groups, group_as_shown, group_key, joined_group, kept_groups
from models.interval.question import IntervalQuestion, PairSide
from models.limits import LONGEST_S
from models.questions import Scope, SeenEvents, Statement
from models.slots import INTERVAL_CTES, in_interval, interval_ctes, span_of
from models.sql import fragment, literal, select, union_all

# TRICKY: an event that is both stands as second before it stands as first, so that it never follows itself.
# DuckDB takes linear time over frames that begin where the partition does, so the latest events come first. With nulls
# ignored or a filter on count(*), it takes quadratic time where second events are rare.
_FOLLOWED = """
select
    *,
    min(case when not is_first then event_at end) over next_rows as second_at,
    count(case when not is_first then 1 end) over next_rows as second_number,
    $breakdown as pair_breakdown
from both_events
window next_rows as (
    partition by subject_id, held
    order by event_at desc, log_order desc, is_first desc
    rows between unbounded preceding and 1 preceding
)
"""
_BREAKDOWN_OF_SECOND = """
arg_min(breakdown, case when not is_first then row(event_at, log_order) end) over next_rows
"""
_PAIRS = """
select
    subject_id,
    event_at,
    pair_breakdown as breakdown,
    (epoch_us(second_at) - epoch_us(event_at)) / 1000000 as duration_s
from followed_events
where is_first and epoch_us(second_at) - epoch_us(event_at) <= $max_us
"""
_ONE_OF_SECOND = "row_number() over (partition by subject_id, held, second_number order by {order}) = 1"
_PER_SUBJECT = """
select interval_index, breakdown, subject_id, favg(duration_s) as average_s
from placed_pairs
group by interval_index, breakdown, subject_id
"""
_PER_SUBJECT_SUMMARIES = """
select interval_index, breakdown, count(*) as subject_count, favg(average_s) as average_per_subject_s
from subjects_with_pairs
group by interval_index, breakdown
"""
_SUMMARIES = """
select
    interval_index,
    breakdown,
    count(*) as pair_count,
    min(duration_s) as min_s,
    quantile_cont(duration_s, [0.1, 0.25, 0.5, 0.75, 0.9]) as quantiles_s,
    max(duration_s) as max_s,
    favg(duration_s) as average_s
from placed_pairs
group by interval_index, breakdown
"""
_ROWS = """
select
    intervals.interval_start,
    $shown as breakdown,
    coalesce(summaries.pair_count, 0) as pair_count,
    coalesce(per_subject.subject_count, 0) as subject_count,
    summaries.min_s,
    summaries.quantiles_s[1] as p10_s,
    summaries.quantiles_s[2] as p25_s,
    summaries.quantiles_s[3] as median_s,
    summaries.quantiles_s[4] as p75_s,
    summaries.quantiles_s[5] as p90_s,
    summaries.max_s,
    summaries.average_s,
    per_subject.average_per_subject_s,
    summaries.pair_count / per_subject.subject_count as pairs_per_subject
from intervals
cross join groups
left join summaries
    on intervals.interval_index = summaries.interval_index
    and groups.breakdown = summaries.breakdown
left join per_subject
    on intervals.interval_index = per_subject.interval_index
    and groups.breakdown = per_subject.breakdown
order by intervals.interval_index, breakdown nulls last
"""
_PEOPLE = """
select subjects_with_pairs.* replace ($shown as breakdown), intervals.interval_start
from subjects_with_pairs
inner join intervals on subjects_with_pairs.interval_index = intervals.interval_index
"""


def build_interval(question: IntervalQuestion, scope: Scope) -> Statement:
    """The statement of the times between two events; raises QuestionError where the scope lacks what it needs."""
    seen = SeenEvents(question, scope)
    both = union_all([_events(question, seen, "first"), _events(question, seen, "second")])
    is_open = question.interval is not None and not (question.period.start and question.period.end)
    span = span_of(question.period, seen.calendar, "pairs" if is_open else None)
    ctes: dict[str, exp.Query] = {
        **seen.ctes,
        "both_events": both,
        "followed_events": _followed(question),
        "pairs": _pairs(question),
        **interval_ctes([span], question.interval, seen.calendar),
        **kept_groups(question.breakdown, select("select breakdown from pairs")),
        "placed_pairs": _placed_pairs(question),
        "subjects_with_pairs": select(_PER_SUBJECT),
        "per_subject": select(_PER_SUBJECT_SUMMARIES),
        "summaries": select(_SUMMARIES),
        "groups": all_groups(question.breakdown, "summaries"),
    }
    return Statement(
        ctes=ctes,
        rows=select(_ROWS, shown=group_as_shown(question.breakdown, "groups")),
        people=select(_PEOPLE, shown=group_as_shown(question.breakdown, "subjects_with_pairs")),
        materialized=(*INTERVAL_CTES, "pairs", "kept_groups", "placed_pairs", "summaries"),
    )


def _events(question: IntervalQuestion, seen: SeenEvents, side: PairSide) -> exp.Select:
    """The events of one side, with the value held constant and, where the breakdown is of this side, the group."""
    is_first = side == "first"
    step = question.first if is_first else question.second
    held = question.hold_constant if is_first else question.held_by_second or question.hold_constant
    is_split_here = question.attribution == side
    values = {
        "event_at": exp.column("event_at", table="events"),
        "log_order": exp.column("log_order", table="events"),
        "is_first": literal(is_first),
        "held": _held(held, seen),
        "breakdown": group_key(question.breakdown, seen.columns) if is_split_here else literal(None),
    }
    where = [matches_any(step.any_of, seen.columns)]
    if held:
        where.append(fragment("nullif($held, '') is not null", held=values["held"]))
    is_extended = question.extend_over_end and not is_first
    return seen.rows(values, where, period=Period(question.period.start) if is_extended else None)


def _held(held: PropertyOf | None, seen: SeenEvents) -> exp.Expr:
    return seen.columns.text(held) if held else literal("")


def _followed(question: IntervalQuestion) -> exp.Select:
    of_second = question.attribution == "second"
    return select(_FOLLOWED, breakdown=fragment(_BREAKDOWN_OF_SECOND) if of_second else exp.column("breakdown"))


def _pairs(question: IntervalQuestion) -> exp.Select:
    limit_s = LONGEST_S if question.max_duration_s is None else question.max_duration_s
    pairs = select(
        _PAIRS,
        max_us=round(limit_s * 1_000_000),
    )
    if question.pairing == "each":
        return pairs
    order = "event_at, log_order" if question.pairing == "first" else "event_at desc, log_order desc"
    return pairs.qualify(fragment(_ONE_OF_SECOND.format(order=order)), copy=False)


def _placed_pairs(question: IntervalQuestion) -> exp.Select:
    placed = select("select subject_id, duration_s from pairs").select(joined_group(question.breakdown), copy=False)
    placed = beside_kept_groups(placed, question.breakdown)
    return in_interval(placed, exp.column("event_at"), question.interval)
