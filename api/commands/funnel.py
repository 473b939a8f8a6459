"""The command that asks funnels: their steps, their trend over time, and the time to convert."""

from typing import Annotated, Any, Literal

import typer

from api.commands.asking import OnlySql, Output, PeopleOf, Showing, ask_question
from api.commands.common import AccountTypeName, AsJson, By, Data, HappenedAt, KnownAt
from api.durations import parse_duration
from api.errors import ApiError
from ingest.message import DEFAULT_ACCOUNT_TYPE

commands = typer.Typer()

Attribution = Literal["first_touch", "last_touch", "all_events", "step"]
Interval = Literal["hour", "day", "week", "month", "quarter", "year"]
Order = Literal["ordered", "strict", "unordered"]


@commands.command()
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
    same_day: Annotated[bool, typer.Option("--same-day", help="All steps on the local day of the first.")] = False,
    trend: Annotated[
        Interval | None, typer.Option("--trend", help="How many convert, by the interval in which they began.")
    ] = None,
    times: Annotated[bool, typer.Option("--times", help="How long they need: mean, median and histogram.")] = False,
    from_step: Annotated[int, typer.Option("--from-step", help="With --trend and --times: measured from here.")] = 1,
    to_step: Annotated[
        int | None, typer.Option("--to-step", help="With --trend and --times: measured to here; the last by default.")
    ] = None,
    breakdown: Annotated[
        list[str] | None, typer.Option("--breakdown", help="Split by this event property; repeatable.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="With --breakdown: all but the largest groups are Other.")
    ] = None,
    attribution: Annotated[
        Attribution, typer.Option("--attribution", help="With --breakdown: which of somebody's values count.")
    ] = "first_touch",
    at_step: Annotated[
        int | None, typer.Option("--at-step", help="With --attribution step: which one, counted from 1.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="Only events from this moment on (ISO 8601).")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Only events before this moment (ISO 8601).")] = None,
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
    as_json: AsJson = False,
) -> None:
    """How many go from step to step within a window; with --trend by when they began, with --times how long it took."""
    if trend and times:
        raise ApiError("--trend and --times are two questions: ask one after the other")
    question: dict[str, Any] = {
        "steps": [
            {"any_of": [{"event": name} for name in step.split("|")], "optional": index in (optional or ())}
            for index, step in enumerate(steps, start=1)
        ],
        "order": order,
        "conversion_window_s": parse_duration(window),
        "same_day": same_day,
        "exclusions": [{"any_of": [{"event": name}]} for name in exclude or ()],
        "hold_constant": {"property": hold} if hold else None,
        "breakdown": {"by": [{"property": name} for name in breakdown], "limit": limit} if breakdown else None,
        "attribution": attribution,
        "attribution_step": at_step,
        "period": {"start": start, "end": end},
        "by": by,
        "account_type": account_type,
    }
    name = "funnel-trend" if trend else "time-to-convert" if times else "funnel"
    if name != "funnel":
        question |= {"from_step": from_step, "to_step": to_step, **({"interval": trend} if trend else {})}
    ask_question(name, question, data, Showing("json" if as_json else output, people, only_sql, known_at, happened_at))
