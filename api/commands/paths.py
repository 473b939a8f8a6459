"""Commands about what comes after what: paths, sessions, and how far subjects come within a window."""

from typing import Annotated, Any, Literal

import typer

from api.commands.asking import OnlySql, Output, PeopleOf, Showing, ask_question
from api.commands.common import AccountTypeName, By, Data, HappenedAt, KnownAt
from api.durations import parse_duration
from ingest.message import DEFAULT_ACCOUNT_TYPE

Gap = Annotated[str, typer.Option("--gap", help="Silence that ends a session, such as 30m; none: no silence does.")]
SplitByDay = Annotated[bool, typer.Option("--split-by-day", help="End sessions at midnight.")]
Events = Annotated[list[str] | None, typer.Option("--event", help="Only events of this name; may be repeated.")]

commands = typer.Typer()


@commands.command()
def paths(
    start: Annotated[str | None, typer.Option("--start", help="The node that paths begin with.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="The node that paths end with.")] = None,
    events: Events = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", help="EVENT=PROPERTY: nodes of this event are called by the property; repeatable."),
    ] = None,
    groupings: Annotated[
        list[str] | None, typer.Option("--group", help="Put names like this together, such as /course/*; repeatable.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Leave this node out of all paths; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", help="Nodes of a path that are shown.")] = 5,
    edges: Annotated[int, typer.Option("--edges", help="Edges that keep their names; the others are the rest.")] = 20,
    gap: Gap = "30m",
    split_by_day: SplitByDay = False,
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """What comes after what, step by step, and where paths end."""
    question = {
        "any_of": _matches(events),
        "labels": [_label(text) for text in labels or []],
        "groupings": groupings or [],
        "exclude": exclude or [],
        "start": start,
        "end": end,
        "step_limit": steps,
        "edge_limit": edges,
        "session": _session(gap, split_by_day),
        "by": by,
        "account_type": account_type,
    }
    ask_question("paths", question, data, Showing(output, people, only_sql, known_at, happened_at))


@commands.command()
def sessions(
    interval: Annotated[
        Literal["hour", "day", "week", "month"] | None, typer.Option("--interval", help="A row for each.")
    ] = None,
    events: Events = None,
    breakdown: Annotated[
        str | None, typer.Option("--breakdown", help="Split by this property of a session's first event.")
    ] = None,
    at_exit: Annotated[bool, typer.Option("--at-exit", help="Split by the last event instead.")] = False,
    gap: Gap = "30m",
    split_by_day: SplitByDay = False,
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """How many sessions there are, how long and how deep, and how many are a single event."""
    question = {
        "any_of": _matches(events),
        "interval": interval,
        "breakdown": {"by": [_property(breakdown)]} if breakdown else None,
        "breakdown_at": "exit" if at_exit else "entry",
        "session": _session(gap, split_by_day),
        "by": by,
        "account_type": account_type,
    }
    ask_question("sessions", question, data, Showing(output, people, only_sql, known_at, happened_at))


@commands.command("window-funnel")
def window_funnel(
    conditions: Annotated[list[str], typer.Argument(help="Event names, in order.")],
    window: Annotated[str, typer.Option("--window", help="From the first event, such as 14d, 36h or 30m.")] = "14d",
    modes: Annotated[
        list[str] | None, typer.Option("--mode", help="As strict_order or strict_once; may be repeated.")
    ] = None,
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """How far they come along conditions within a window, as ClickHouse's windowFunnel counts it."""
    question = {
        "conditions": [{"any_of": [{"event": name}]} for name in conditions],
        "window_s": parse_duration(window),
        "modes": modes or [],
        "by": by,
        "account_type": account_type,
    }
    ask_question("window-funnel", question, data, Showing(output, people, only_sql, known_at, happened_at))


def _session(gap: str, split_by_day: bool) -> dict[str, Any]:
    return {"gap_s": None if gap == "none" else parse_duration(gap), "split_by_day": split_by_day}


def _label(text: str) -> dict[str, Any]:
    """`PageViewed=url`; a property alone names all events, and leaves out those without it."""
    event, equals, name = text.rpartition("=")
    return {"parts": [{"property": name}], "any_of": [{"event": event}] if equals else []}


def _matches(events: list[str] | None) -> list[dict[str, str]]:
    return [{"event": name} for name in events or []]


def _property(name: str) -> dict[str, str]:
    return {"property": name, "of": "field"} if name == "event_name" else {"property": name}
