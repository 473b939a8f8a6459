"""Commands that ask who stays: retention, lifecycle and stickiness."""

from typing import Annotated, Any, Literal

import typer

from api.commands.asking import Fields, question_command
from api.commands.fields import ExtendOverEnd, any_of, property_of
from models.calendar import Interval

commands = typer.Typer()

Events = Annotated[list[str] | None, typer.Argument(help="Events that count; any event by default.")]
MinOccurrences = Annotated[
    int, typer.Option("--min-occurrences", help="Events that it takes in one interval to count there.")
]
IntervalName = Annotated[Interval, typer.Option("--interval", help="Length of an interval.")]


@question_command(commands, "retention")
def retention(  # an option each
    interval: Annotated[
        Literal["hour", "day", "week", "month", "quarter", "year"],
        typer.Option("--interval", help="Length of a period."),
    ] = "day",
    periods: Annotated[int, typer.Option("--periods", help="Periods after the first.")] = 7,
    brackets: Annotated[
        str | None, typer.Option("--brackets", help="Lengths of stretches instead, such as 7,23 for 1-7 and 8-30.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="Event that starts; any event by default.")] = None,
    returning: Annotated[
        str | None, typer.Option("--returning", help="Event that returns; any event by default.")
    ] = None,
    mode: Annotated[
        Literal["recurring", "first_time", "first_ever"],
        typer.Option("--mode", help="In every period with a start event, or only the first ever."),
    ] = "recurring",
    windows: Annotated[
        Literal["calendar", "elapsed"],
        typer.Option("--windows", help="Periods of the calendar, or counted from each one's own start."),
    ] = "calendar",
    rolling: Annotated[bool, typer.Option("--rolling", help="Count who returned then or later.")] = False,
    min_occurrences: MinOccurrences = 1,
    period_0: Annotated[
        Literal["cohort", "returned", "returned_later"],
        typer.Option("--period-0", help="Period 0 is the cohort, or who returned in it, or later in it."),
    ] = "cohort",
    value: Annotated[str | None, typer.Option("--value", help="Also add up this property of returning events.")] = None,
    extend_over_end: ExtendOverEnd = False,
) -> Fields:
    """Who comes back, by the period they started in."""
    return {
        "start": {"any_of": any_of([start])},
        "returning": {"any_of": any_of([returning])},
        "interval": interval,
        "periods": periods,
        "brackets": _lengths(brackets),
        "mode": mode,
        "windows": windows,
        "rolling": rolling,
        "min_occurrences": min_occurrences,
        "extend_over_end": extend_over_end,
        "period_0": period_0,
        "value": property_of(value),
    }


@question_command(commands, "lifecycle")
def lifecycle(
    events: Events = None,
    interval: IntervalName = "day",
    created_by: Annotated[
        Literal["first_event", "first_match"],
        typer.Option("--created-by", help="New is by the first event ever, or by the first of these events."),
    ] = "first_event",
) -> Fields:
    """Who is new, returns, comes back after a pause, or has stopped, interval by interval."""
    return {**_counting(events), "interval": interval, "created_by": created_by}


@question_command(commands, "stickiness")
def stickiness(
    events: Events = None,
    interval: IntervalName = "day",
    interval_count: Annotated[int, typer.Option("--interval-count", help="Take so many intervals as one.")] = 1,
    min_occurrences: MinOccurrences = 1,
    max_occurrences: Annotated[
        int | None, typer.Option("--max-occurrences", help="Events beyond which an interval does not count.")
    ] = None,
    cumulative: Annotated[
        bool, typer.Option("--cumulative", help="Count at least so many intervals instead of exactly.")
    ] = False,
) -> Fields:
    """In how many intervals people are active."""
    return {
        **_counting(events),
        "interval": interval,
        "interval_count": interval_count,
        "min_occurrences": min_occurrences,
        "max_occurrences": max_occurrences,
        "cumulative": cumulative,
    }


def _counting(events: list[str] | None) -> dict[str, Any]:
    return {"any_of": any_of(events)} if events else {}


def _lengths(brackets: str | None) -> list[int]:
    from api.errors import ApiError

    try:
        return [int(length) for length in brackets.split(",")] if brackets else []
    except ValueError as error:
        raise ApiError(f"--brackets {brackets} is no list of lengths: write it like 7,23") from error
