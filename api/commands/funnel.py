"""The command that asks funnels: their steps, their trend over time, and the time to convert."""

from typing import Annotated, Literal

import typer

from api.commands.asking import Fields, question_command
from api.commands.fields import ExtendOverEnd, any_of, property_of
from api.durations import parse_duration
from api.errors import ApiError
from models.calendar import Interval

commands = typer.Typer()

Attribution = Literal["first_touch", "last_touch", "all_events", "step"]
Order = Literal["ordered", "strict", "unordered"]


@question_command(commands, "funnel")
def funnel(
    steps: Annotated[list[str], typer.Argument(help="Event names, in order; 'a|b' is a step that either event takes.")],
    window: Annotated[str, typer.Option("--window", help="Conversion window, such as 14d, 36h or 30m.")] = "14d",
    order: Annotated[
        Order, typer.Option("--order", help="Other events in between do not matter, break off, or any order counts.")
    ] = "ordered",
    optional: Annotated[
        list[int] | None, typer.Option("--optional", help="A step, counted from 1, that may be skipped; repeatable.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="An event that voids the attempt it falls into; repeatable.")
    ] = None,
    hold: Annotated[
        str | None, typer.Option("--hold", help="Steps of one attempt agree in this event property, such as an order.")
    ] = None,
    extend_over_end: ExtendOverEnd = False,
    same_day: Annotated[bool, typer.Option("--same-day", help="All steps on the local day of the first.")] = False,
    attribution: Annotated[
        Attribution, typer.Option("--attribution", help="With --breakdown: which of somebody's values count.")
    ] = "first_touch",
    at_step: Annotated[
        int | None, typer.Option("--at-step", help="With --attribution step: which one, counted from 1.")
    ] = None,
    trend: Annotated[
        Interval | None, typer.Option("--trend", help="How many convert, by the interval in which they began.")
    ] = None,
    times: Annotated[bool, typer.Option("--times", help="How long they need: average, median and histogram.")] = False,
    from_step: Annotated[int, typer.Option("--from-step", help="With --trend and --times: measured from here.")] = 1,
    to_step: Annotated[
        int | None, typer.Option("--to-step", help="With --trend and --times: measured to here; the last by default.")
    ] = None,
) -> tuple[str, Fields]:
    """How many go from step to step within a window; with --trend by when they began, with --times how long it took."""
    definition = {
        "steps": [
            {"any_of": any_of(step.split("|")), "optional": index in (optional or ())}
            for index, step in enumerate(steps, start=1)
        ],
        "order": order,
        "conversion_window_s": parse_duration(window, "a conversion window"),
        "same_day": same_day,
        "extend_over_end": extend_over_end,
        "exclusions": [{"any_of": any_of([name])} for name in exclude or ()],
        "hold_constant": property_of(hold),
        "attribution": attribution,
        "attribution_step": at_step,
    }
    measured = {**definition, "from_step": from_step, "to_step": to_step}
    if trend and times:
        raise ApiError("--trend and --times are two questions: ask one after the other")
    if trend:
        return "funnel-trend", {**measured, "interval": trend}
    return ("time-to-convert", measured) if times else ("funnel", definition)
