"""Who returned in which period, as SQL.

CTEs: `returns` (a row per member and n with at least one returning event: how many, and their value), and `retained`, a
row per subject behind every number: breakdown, subject_id, cohort_interval, period_index, value.
"""

from sqlglot import exp

from models.retention.cohorts import counts_later_returns, has_one_start, same_subject
from models.retention.question import ELAPSED_S, RetentionQuestion
from models.sql import fragment, select, union_all, values_table

_KEYS = "members.breakdown, members.subject_id, members.cohort_interval"

_RETURNS_IN_LATER_INTERVALS = f"""
select
    {_KEYS},
    active_intervals.interval_number - members.cohort_interval as units_apart,
    active_intervals.returning_count,
    $value as value
from members
inner join active_intervals on $same_subject
where active_intervals.returning_count > 0 and units_apart between 1 and $longest
"""

# A subject active in many intervals meets only those near each of its starts: intervals in rows of `longest`, each
# return in its own row and the one before, where the starts are that it can belong to.
_NEARBY_INTERVALS = """
select *, unnest([interval_number // $longest, interval_number // $longest - 1]) as nearby
from active_intervals
where returning_count > 0
"""
_IS_NEARBY = "members.cohort_interval // $longest = active_intervals.nearby"

_RETURNS_IN_THE_SAME_INTERVAL = f"""
select {_KEYS}, 0 as units_apart, active_intervals.returning_count, $value as value
from members
inner join active_intervals on $same_subject and members.cohort_interval = active_intervals.interval_number
where active_intervals.returning_count > 0
"""

_RETURNS_LATER_IN_THE_SAME_INTERVAL = f"""
select {_KEYS}, 0 as units_apart, count(*) as returning_count, $value as value
from members
inner join grouped_events on $same_subject and members.cohort_interval = grouped_events.interval_number
where grouped_events.returns and grouped_events.event_at > members.started_at
group by all
"""

_RETURNS_AFTER_ELAPSED_TIME = f"""
select
    {_KEYS},
    (epoch_us(grouped_events.event_at) - epoch_us(members.started_at)) // $period_us as units_apart,
    count(*) as returning_count,
    $value as value
from members
inner join grouped_events on $same_subject
where grouped_events.returns and $has_started
group by all
"""

_RETURNED = """
select breakdown, subject_id, cohort_interval, $period_index as period_index, value
from returns
where units_apart between $shortest and $longest and returning_count >= $least
"""

_RETURNED_IN_BRACKETS = """
select breakdown, subject_id, cohort_interval, $period_index as period_index, sum(value) as value
from returns
where units_apart between $shortest and $longest
group by all
having max(returning_count) >= $least
"""

_LAST_RETURNS = f"""
select {_KEYS}, last_intervals.interval_number - members.cohort_interval as units_apart
from members
inner join last_intervals on $same_subject
where units_apart >= 1
"""

_LAST_INTERVALS = """
select subject_id, breakdown, max(interval_number) as interval_number
from active_intervals
where returning_count >= $least
group by all
"""

_GOOD_RETURNS = """
select breakdown, subject_id, cohort_interval, units_apart
from returns
where returning_count >= $least
"""

_FURTHEST_RETURNS = """
select breakdown, subject_id, cohort_interval, max(units_apart) as furthest
from good_returns
group by all
"""

_RETURNED_OR_LATER = """
select
    furthest_returns.breakdown,
    furthest_returns.subject_id,
    furthest_returns.cohort_interval,
    periods.period_index,
    period_values.value
from furthest_returns
inner join periods
    on furthest_returns.furthest >= periods.first_interval and periods.first_interval >= $shortest
left join period_values
    on furthest_returns.breakdown = period_values.breakdown
    and furthest_returns.subject_id = period_values.subject_id
    and furthest_returns.cohort_interval = period_values.cohort_interval
    and periods.period_index = period_values.period_index
"""

_PERIOD_VALUES = """
select breakdown, subject_id, cohort_interval, $period_index as period_index, sum(value) as value
from returns
where units_apart between $shortest and $longest
group by all
"""

_COHORT_ITSELF = f"select {_KEYS}, 0 as period_index, cast(null as double) as value from members"
_COHORT_WITH_VALUE = f"""
select {_KEYS}, 0 as period_index, returns.value
from members
left join returns
    on members.breakdown = returns.breakdown
    and members.subject_id = returns.subject_id
    and members.cohort_interval = returns.cohort_interval
    and returns.units_apart = 0
"""


def return_ctes(question: RetentionQuestion) -> dict[str, exp.Query]:
    """From `members` and `active_intervals` to `retained`; `periods` are the columns of the table."""
    numbered = [(index, *column) for index, column in enumerate(question.columns)]
    ctes: dict[str, exp.Query] = {
        "periods": values_table("periods", ["period_index", "first_interval", "last_interval"], numbered),
        **(_elapsed_returns(question) if question.is_elapsed else _calendar_returns(question)),
        **(_rolling(question) if question.rolling else {"returned": _returned(question)}),
    }
    columns = "select breakdown, subject_id, cohort_interval, period_index, value"
    retained = [select(f"{columns} from returned")]
    if question.period_0 == "cohort":
        retained.append(select(_COHORT_WITH_VALUE if question.value is not None else _COHORT_ITSELF))
    return {**ctes, "retained": union_all(retained)}


def _longest(question: RetentionQuestion) -> int:
    return question.columns[-1][1]


def _shortest(question: RetentionQuestion) -> int:
    """The first n that is looked at: everyone of a cohort is in its period 0 unless only returns count there."""
    return 1 if question.period_0 == "cohort" else 0


def _elapsed_returns(question: RetentionQuestion) -> dict[str, exp.Query]:
    compared = ">" if counts_later_returns(question) else ">="
    return {
        "returns": select(
            _RETURNS_AFTER_ELAPSED_TIME,
            value=_value(question, "sum(grouped_events.value)"),
            same_subject=same_subject(question, "members", "grouped_events"),
            period_us=ELAPSED_S[question.interval] * 1_000_000,
            has_started=fragment(f"grouped_events.event_at {compared} members.started_at"),
        )
    }


def _calendar_returns(question: RetentionQuestion) -> dict[str, exp.Query]:
    ctes: dict[str, exp.Query] = {}
    parts = []
    if _longest(question) > 0 and (not question.rolling or question.value is not None):
        later = select(
            _RETURNS_IN_LATER_INTERVALS,
            {} if has_one_start(question) else {"active_intervals": "nearby_intervals"},
            value=_value(question, "active_intervals.returned_value"),
            same_subject=_same_nearby(question),
            longest=_longest(question),
        )
        if not has_one_start(question):
            ctes["nearby_intervals"] = select(_NEARBY_INTERVALS, longest=_longest(question))
        parts.append(later)
    if question.period_0 != "cohort" or question.value is not None:
        parts.append(_same_interval_returns(question))
    if not parts:
        parts.append(_same_interval_returns(question).where("false", copy=False))
    return {**ctes, "returns": union_all(parts)}


def _same_nearby(question: RetentionQuestion) -> exp.Expr:
    same = same_subject(question, "members", "active_intervals")
    return same if has_one_start(question) else exp.and_(same, fragment(_IS_NEARBY, longest=_longest(question)))


def _same_interval_returns(question: RetentionQuestion) -> exp.Select:
    """Returns in period 0: all of that interval, or those later than the start."""
    if counts_later_returns(question):
        return select(
            _RETURNS_LATER_IN_THE_SAME_INTERVAL,
            value=_value(question, "sum(grouped_events.value)"),
            same_subject=same_subject(question, "members", "grouped_events"),
        )
    return select(
        _RETURNS_IN_THE_SAME_INTERVAL,
        value=_value(question, "active_intervals.returned_value"),
        same_subject=same_subject(question, "members", "active_intervals"),
    )


def _returned(question: RetentionQuestion) -> exp.Select:
    return select(
        _RETURNED_IN_BRACKETS if question.brackets else _RETURNED,
        period_index=_period_index(question),
        shortest=_shortest(question),
        longest=_longest(question),
        least=question.min_occurrences,
    )


def _rolling(question: RetentionQuestion) -> dict[str, exp.Query]:
    """Every period up to the last in which a subject returned; its value is still that of each period alone."""
    ctes: dict[str, exp.Query] = {}
    good = [select(_GOOD_RETURNS, least=question.min_occurrences)]
    if not question.is_elapsed:
        ctes["last_intervals"] = select(_LAST_INTERVALS, least=question.min_occurrences)
        good.append(select(_LAST_RETURNS, same_subject=same_subject(question, "members", "last_intervals")))
    return {
        **ctes,
        "good_returns": union_all(good),
        "furthest_returns": select(_FURTHEST_RETURNS),
        "period_values": select(
            _PERIOD_VALUES,
            period_index=_period_index(question),
            shortest=_shortest(question),
            longest=_longest(question),
        ),
        "returned": select(_RETURNED_OR_LATER, shortest=_shortest(question)),
    }


def _period_index(question: RetentionQuestion) -> exp.Expr:
    """The column in which n intervals after the start are counted."""
    if not question.brackets:
        return exp.column("units_apart")
    case = exp.Case()
    for index, (_, last) in enumerate(question.columns):
        case.when(fragment("units_apart <= $last", last=last), exp.convert(index), copy=False)
    return case


def _value(question: RetentionQuestion, text: str) -> exp.Expr:
    return fragment(text if question.value is not None else "cast(null as double)")
