"""Commands that ask how much, how often and how fast: trends, distributions, and the time between two events."""

from typing import Annotated, Literal

import typer

from api.commands.asking import Fields, question_command
from api.commands.fields import ExtendOverEnd, IntervalOrWhole, any_of, interval_or_none, property_of
from api.durations import parse_duration

commands = typer.Typer()

OfProperty = Annotated[str | None, typer.Option("--property", help="The event property that is measured.")]


@question_command(commands, "trend")
def trend(
    events: Annotated[list[str] | None, typer.Argument(help="A series each; any event by default.")] = None,
    measure: Annotated[str, typer.Option("--measure", help="total, subjects, per_subject, sum, median ...")] = "total",
    property_name: OfProperty = None,
    percentile: Annotated[float | None, typer.Option("--percentile", help="With --measure percentile: 0-100.")] = None,
    formula: Annotated[list[str] | None, typer.Option("--formula", help="Such as 'B / A * 100'; repeatable.")] = None,
    compare: Annotated[
        Literal["period", "day", "week", "month", "quarter", "year"] | None,
        typer.Option("--compare", help="Beside the same period so much earlier."),
    ] = None,
    cumulative: Annotated[bool, typer.Option("--cumulative", help="Add up from the first interval on.")] = False,
    interval: IntervalOrWhole = "day",
) -> Fields:
    """How many events and subjects, and how much of a property, over time."""
    measured = {"measure": measure, "property": property_of(property_name), "percentile": percentile}
    return {
        "series": [{"any_of": any_of([event]), **measured} for event in events or (None,)],
        "formulas": [{"formula": each} for each in formula or ()],
        "comparison": {"shift": compare} if compare else None,
        "cumulative": cumulative,
        "interval": interval_or_none(interval),
    }


@question_command(commands, "distribution")
def distribution(
    events: Annotated[list[str], typer.Argument(help="Events that are counted together.")],
    measure: Annotated[str, typer.Option("--measure", help="total, hours, days, weeks, months, sum ...")] = "total",
    property_name: OfProperty = None,
    buckets: Annotated[
        str | None, typer.Option("--buckets", help="Boundaries such as 1,3,5,10; each is the first of its bucket.")
    ] = None,
    interval: IntervalOrWhole = "whole",
) -> Fields:
    """How many persons or accounts did something how often, or with how much of a property."""
    return {
        "any_of": any_of(events),
        "measure": measure,
        "property": property_of(property_name),
        **({"buckets": buckets.split(",")} if buckets is not None else {}),
        "interval": interval_or_none(interval),
    }


@question_command(commands, "interval")
def interval_between(
    first: Annotated[str, typer.Argument(help="The event from which time is taken.")],
    second: Annotated[str | None, typer.Argument(help="The event up to which; the first one again by default.")] = None,
    pairing: Annotated[
        Literal["each", "first", "last"],
        typer.Option("--pairing", help="Of several first events before a second one: each, the first or the last."),
    ] = "each",
    within: Annotated[
        str | None, typer.Option("--within", help="Only pairs of at most this long, such as 30d or 12h.")
    ] = None,
    interval: IntervalOrWhole = "whole",
    extend_over_end: ExtendOverEnd = False,
) -> Fields:
    """How long it takes from one event to another: quantiles, average, and how many pairs."""
    return {
        "first": {"any_of": any_of([first])},
        "second": {"any_of": any_of([second or first])},
        "pairing": pairing,
        "max_duration_s": parse_duration(within, "a longest interval") if within else None,
        "extend_over_end": extend_over_end,
        "interval": interval_or_none(interval),
    }
