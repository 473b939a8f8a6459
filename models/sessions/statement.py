"""Sessions as SQL: events cut into sessions, one row per session, counted by interval and group."""

from sqlglot import exp

from models.conditions import matches_any
from models.groups import beside_kept_groups, group_as_shown, group_key, joined_group, kept_groups
from models.intervals import interval_at, interval_number
from models.questions import Scope, SeenEvents, Statement
from models.sessionizing import session_ctes
from models.sessions.question import SessionsQuestion
from models.sql import fragment, select


def build(question: SessionsQuestion, scope: Scope) -> Statement:
    """The measures of the sessions of every interval and group."""
    seen = SeenEvents(question, scope)
    values: dict[str, exp.Expr] = {name: exp.column(name, table="events") for name in ("event_at", "log_order")}
    values |= question.session.flags(seen.columns)
    if question.breakdown is not None:
        values["own_group"] = group_key(question.breakdown, seen.columns)
    where = [matches_any(question.any_of, seen.columns)] if question.any_of else []
    events = seen.rows(values, where)
    ctes: dict[str, exp.Query] = {
        **seen.ctes,
        "seen_events": events,
        **session_ctes(question.session, "seen_events", seen.calendar),
        "found_sessions": select(_FOUND_SESSIONS, group=_group(question)),
    }
    start = fragment("cast(null as timestamp)")
    if question.interval is not None:
        number = interval_number(exp.column("began_at"), question.interval, seen.calendar)
        start = interval_at(number, question.interval, seen.calendar)
    ctes |= kept_groups(question.breakdown, select("select breakdown from found_sessions"))
    sessions = select(_SESSIONS, start=start, group=joined_group(question.breakdown))
    ctes["sessions"] = beside_kept_groups(sessions, question.breakdown)
    shown = group_as_shown(question.breakdown, "sessions")
    is_limited = "kept_groups" in ctes
    return Statement(
        ctes,
        select(_ROWS, shown=shown),
        select(_PEOPLE, shown=shown),
        materialized=("found_sessions", "kept_groups") if is_limited else (),
    )


_FOUND_SESSIONS = """
select
    subject_id,
    session_number,
    min(event_at) as began_at,
    (epoch_us(max(event_at)) - epoch_us(min(event_at))) / 1e6 as duration_s,
    count(*) as event_count,
    $group as breakdown
from session_events
group by subject_id, session_number
"""

_SESSIONS = """
select found_sessions.* replace ($group), event_count = 1 as is_bounce, $start as interval_start
from found_sessions
"""

_ROWS = """
select
    $shown as breakdown,
    interval_start,
    count(*) as session_count,
    count(distinct subject_id) as subject_count,
    count(*) / count(distinct subject_id) as sessions_per_subject,
    cast(sum(event_count) as bigint) as event_count,
    avg(event_count) as events_per_session,
    avg(duration_s) as average_duration_s,
    median(duration_s) as median_duration_s,
    count(*) filter (where is_bounce) as bounce_count,
    count(distinct subject_id) filter (where is_bounce) as bounced_subject_count,
    count(*) filter (where is_bounce) / count(*) as bounce_rate
from sessions
group by sessions.breakdown, interval_start
order by breakdown nulls last, interval_start
"""

_PEOPLE = "select subject_id, $shown as breakdown, interval_start, is_bounce from sessions"

_GROUP_AT = {
    "entry": "arg_min(own_group, event_number)",
    "exit": "arg_max(own_group, event_number)",
}


def _group(question: SessionsQuestion) -> exp.Expr:
    return fragment(_GROUP_AT[question.attribution] if question.breakdown else "0")
