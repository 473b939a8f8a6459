"""Who started when, as SQL: one row per subject and interval with what happened in it, and the members of cohorts.

CTEs: `active_intervals` (subject_id, breakdown, interval_number and what `_facts` names) and `members` (subject_id,
breakdown, cohort_interval, started_at). The events are read once for both.
"""

from sqlglot import exp

from models.calendar import Period
from models.conditions import all_hold, matches_any
from models.groups import group_key, grouped_events
from models.intervals import interval_number, last_moment, number_of_moment, whole_intervals
from models.questions import SeenEvents
from models.retention.question import RetentionQuestion
from models.sql import any_of, fragment, select

_ACTIVE_INTERVALS = """
select subject_id, $group as breakdown, interval_number
from grouped_events
group by all
"""

_EVERY_START = """
select subject_id, $group as breakdown, interval_number as cohort_interval, $started_at as started_at
from active_intervals
where has_started
"""

# Of the first interval in which it counts, each subject has one row.
_ONE_START = """
select
    subject_id,
    $group as breakdown,
    min(interval_number) as cohort_interval,
    $started_at as started_at
from active_intervals
group by subject_id, active_intervals.breakdown
"""


def cohort_ctes(question: RetentionQuestion, seen: SeenEvents) -> dict[str, exp.Query]:
    """From the events to the members of cohorts."""
    return {
        **grouped_events(_seen_events(question, seen), question.breakdown, sized="starts_in_table"),
        "active_intervals": _active_intervals(question),
        "members": _members(question, seen),
    }


def same_subject(question: RetentionQuestion, left: str, right: str) -> exp.Expr:
    """True for rows of two tables about the same subject, inside the same group where groups are asked apart."""
    names = ["subject_id"] + (["breakdown"] if asks_groups_apart(question) else [])
    return exp.and_(*(exp.column(name, table=left).eq(exp.column(name, table=right)) for name in names))


def asks_groups_apart(question: RetentionQuestion) -> bool:
    """Whether every group is asked for its own events."""
    return question.breakdown is not None and question.attribution == "all_events"


def has_one_start(question: RetentionQuestion) -> bool:
    """Whether a subject is in one cohort at most."""
    return question.mode != "recurring" or question.is_elapsed


def counts_later_returns(question: RetentionQuestion) -> bool:
    """Whether of period 0 only what comes later than the start is looked at."""
    if question.period_0 == "cohort":
        return question.value is not None and question.start.any_of != question.returning.any_of
    return question.period_0 == "returned_later"


def _seen_events(question: RetentionQuestion, seen: SeenEvents) -> exp.Select:
    """The events that can start, return or be a first one, with what each of them is."""
    columns = seen.columns
    starts, returns = matches_any(question.start.any_of, columns), matches_any(question.returning.any_of, columns)
    values = {
        "breakdown": group_key(question.breakdown, columns),
        "interval_number": interval_number(exp.column("event_at"), question.interval, seen.calendar),
        "starts": starts,
        "returns": returns,
        "event_at": exp.column("event_at", table="events"),
        # Neither those before, where first times are looked for, nor those after, where returns are.
        "starts_in_table": all_hold([starts, *_period_conditions(question, seen, "interval_number")]),
    }
    wanted = [starts, returns]
    if _needs_order(question):
        values["log_order"] = exp.column("log_order", table="events")
    if question.mode == "first_ever":
        wanted.append(_is_named(question))
        values["is_named"] = _is_named(question)
    if question.value is not None:
        values["value"] = fragment("coalesce($number, 0)", number=columns.number(question.value))
    return seen.rows(values, [any_of(wanted)], period=_read_period(question, seen))


def _read_period(question: RetentionQuestion, seen: SeenEvents) -> Period:
    """Whole intervals; first starts are looked for before them, and returns after them where that is asked."""
    whole = whole_intervals(question.period, question.interval, seen.calendar)
    start = whole.start if question.mode == "recurring" else None
    return Period(start, None if question.extend_over_end else whole.end)


def _needs_order(question: RetentionQuestion) -> bool:
    return question.mode == "first_ever" or question.attribution == "start"


def _is_named(question: RetentionQuestion) -> exp.Expr:
    """True for events of the start's names, whether they pass its filters or not."""
    names = [match.event for match in question.start.any_of]
    return any_of(exp.true() if name is None else fragment("event_name = $name", name=name) for name in names)


def _active_intervals(question: RetentionQuestion) -> exp.Select:
    group = exp.column("breakdown", table="grouped_events") if asks_groups_apart(question) else fragment("0")
    facts = (exp.alias_(fragment(text), name) for name, text in _facts(question).items())
    return select(_ACTIVE_INTERVALS, group=group).select(*facts, copy=False)


def _facts(question: RetentionQuestion) -> dict[str, str]:
    """What is known of a subject's interval beside its number."""
    facts = {
        "has_started": "bool_or(starts)",
        "started_at": "min(event_at) filter (where starts)",
        "returning_count": "count(*) filter (where returns)",
    }
    if question.mode == "first_ever":
        facts["has_named"] = "bool_or(is_named)"
        facts["first_named_starts"] = "arg_min(starts, (event_at, log_order)) filter (where is_named)"
    if question.attribution == "start":
        facts["start_group"] = "arg_min(grouped_events.breakdown, (event_at, log_order)) filter (where starts)"
    if question.value is not None:
        facts["returned_value"] = "sum(value) filter (where returns)"
    return facts


def _members(question: RetentionQuestion, seen: SeenEvents) -> exp.Select:
    group = "start_group" if question.attribution == "start" else "active_intervals.breakdown"
    if not has_one_start(question):
        every = select(_EVERY_START, group=fragment(group), started_at=exp.column("started_at"))
        return every.where(*_period_conditions(question, seen, "interval_number"), copy=False)
    first = {text: fragment(f"arg_min({text}, interval_number)") for text in ("started_at", "start_group")}
    one = select(
        _ONE_START,
        group=first["start_group"] if question.attribution == "start" else fragment(group),
        started_at=first["started_at"],
    )
    if question.mode == "first_ever":
        one = one.where("has_named", copy=False).having("arg_min(first_named_starts, interval_number)", copy=False)
    else:
        one = one.where("has_started", copy=False)
    return one.having(*_period_conditions(question, seen, "min(interval_number)"), copy=False)


def _period_conditions(question: RetentionQuestion, seen: SeenEvents, number: str) -> list[exp.Expr]:
    """The cohorts of the period: not those of first starts before it, nor those after it."""
    start, last = question.period.start, last_moment(question.period)
    conditions = []
    if start:
        first_number = number_of_moment(start, question.interval, seen.calendar)
        conditions.append(fragment(f"{number} >= $first", first=first_number))
    if last:
        last_number = number_of_moment(last, question.interval, seen.calendar)
        conditions.append(fragment(f"{number} <= $last", last=last_number))
    return conditions
