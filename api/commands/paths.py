"""Commands about what comes after what: paths, sessions, and how far subjects come within a window."""

from typing import Annotated, Any

import typer

from api.commands.asking import Fields, question_command
from api.commands.fields import IntervalOrWhole, any_of, interval_or_none
from api.durations import parse_duration

Gap = Annotated[str, typer.Option("--gap", help="Silence that ends a session, such as 30m; none: no silence does.")]
SplitByDay = Annotated[bool, typer.Option("--split-by-day", help="End sessions at midnight.")]
Events = Annotated[list[str] | None, typer.Option("--event", help="Only events of this name; may be repeated.")]

commands = typer.Typer()


@question_command(commands, "paths")
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
    edges: Annotated[
        int | None, typer.Option("--edges", help="So many largest edges keep their names; the others are the rest.")
    ] = None,
    gap: Gap = "30m",
    split_by_day: SplitByDay = False,
) -> Fields:
    """What comes after what, step by step, and where paths end."""
    return {
        "any_of": any_of(events),
        "labels": [_label(text) for text in labels or []],
        "groupings": groupings or [],
        "exclude": exclude or [],
        "start": start,
        "end": end,
        "step_limit": steps,
        "edge_limit": edges,
        "session": _session(gap, split_by_day),
    }


@question_command(commands, "sessions")
def sessions(
    interval: IntervalOrWhole = "whole",
    events: Events = None,
    at_exit: Annotated[
        bool, typer.Option("--at-exit", help="With --breakdown: by a session's last event, not its first.")
    ] = False,
    gap: Gap = "30m",
    split_by_day: SplitByDay = False,
) -> Fields:
    """How many sessions there are, how long and how deep, and how many are a single event."""
    return {
        "any_of": any_of(events),
        "interval": interval_or_none(interval),
        "attribution": "exit" if at_exit else "entry",
        "session": _session(gap, split_by_day),
    }


@question_command(commands, "window-funnel")
def window_funnel(
    conditions: Annotated[list[str], typer.Argument(help="Event names, in order.")],
    window: Annotated[str, typer.Option("--window", help="From the first event, such as 14d, 36h or 30m.")],
    modes: Annotated[
        list[str] | None, typer.Option("--mode", help="As strict_order or strict_once; may be repeated.")
    ] = None,
) -> Fields:
    """How far they come along conditions within a window, as ClickHouse's windowFunnel counts it."""
    return {
        "conditions": [{"any_of": any_of([name])} for name in conditions],
        "window_s": parse_duration(window, "a window"),
        "modes": modes or [],
    }


def _session(gap: str, split_by_day: bool) -> dict[str, Any]:
    return {"gap_s": None if gap == "none" else parse_duration(gap, "a gap"), "split_by_day": split_by_day}


def _label(text: str) -> dict[str, Any]:
    """`$pageview=$url`; a property alone names all events, and leaves out those without it."""
    event, equals, name = text.rpartition("=")
    return {"parts": [{"property": name}], "any_of": any_of([event]) if equals else []}
