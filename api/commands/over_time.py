"""Commands that ask how much, how often and how fast: trends, distributions, and the time between two events."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from api.commands.asking import OnlySql, Output, PeopleOf, Showing, ask_question
from api.commands.common import AccountTypeName, By, Data, HappenedAt, KnownAt
from api.durations import parse_duration
from ingest.message import DEFAULT_ACCOUNT_TYPE

commands = typer.Typer()

Length = Literal["minute", "hour", "day", "week", "month", "quarter", "year", "whole"]
IntervalLength = Annotated[Length, typer.Option("--interval", help="How long each interval is; or the whole period.")]
Since = Annotated[str | None, typer.Option("--from", help="Only events from this moment on (ISO 8601).")]
Until = Annotated[str | None, typer.Option("--to", help="Only events before this moment (ISO 8601).")]
Split = Annotated[list[str] | None, typer.Option("--breakdown", help="Split by this event property; repeatable.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="So many largest groups; the rest is Other.")]
OfProperty = Annotated[str | None, typer.Option("--property", help="The event property that is measured.")]


@commands.command()
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
    interval: IntervalLength = "day",
    since: Since = None,
    until: Until = None,
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    breakdown: Split = None,
    limit: Limit = None,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """How many events and subjects, and how much of a property, over time."""
    measured = {"measure": measure, "property": _property(property_name), "percentile": percentile}
    matches = [{"event": event} for event in events] if events else [{"event": None}]
    question = {
        "series": [{"any_of": [match], **measured} for match in matches],
        "formulas": [{"formula": each} for each in formula or ()],
        "comparison": {"shift": compare} if compare else None,
        "cumulative": cumulative,
        **_shared(interval, (since, until), (by, account_type), breakdown, limit),
    }
    ask_question("trend", question, data, Showing(output, people, only_sql, known_at, happened_at))


@commands.command()
def distribution(
    events: Annotated[list[str], typer.Argument(help="Events that are counted together.")],
    measure: Annotated[str, typer.Option("--measure", help="total, hours, days, weeks, months, sum ...")] = "total",
    property_name: OfProperty = None,
    buckets: Annotated[
        str | None, typer.Option("--buckets", help="Boundaries such as 1,3,5,10; each is the first of its bucket.")
    ] = None,
    interval: IntervalLength = "whole",
    since: Since = None,
    until: Until = None,
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    breakdown: Split = None,
    limit: Limit = None,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """How many persons or accounts did something how often, or with how much of a property."""
    question = {
        "any_of": [{"event": event} for event in events],
        "measure": measure,
        "property": _property(property_name),
        **({"buckets": buckets.split(",")} if buckets is not None else {}),
        **_shared(interval, (since, until), (by, account_type), breakdown, limit),
    }
    ask_question("distribution", question, data, Showing(output, people, only_sql, known_at, happened_at))


@commands.command("interval")
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
    interval: IntervalLength = "whole",
    since: Since = None,
    until: Until = None,
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    breakdown: Split = None,
    limit: Limit = None,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """How long it takes from one event to another: quantiles, average, and how many pairs."""
    question = {
        "first": {"any_of": [{"event": first}]},
        "second": {"any_of": [{"event": second or first}]},
        "pairing": pairing,
        "max_interval_s": parse_duration(within) if within else None,
        **_shared(interval, (since, until), (by, account_type), breakdown, limit),
    }
    ask_question("interval", question, data, Showing(output, people, only_sql, known_at, happened_at))


def _shared(
    interval: Length,
    period: tuple[str | None, str | None],
    subject: tuple[str, str],
    breakdown: Sequence[str] | None,
    limit: int | None,
) -> dict[str, Any]:
    """The fields of a question that all of these commands ask for."""
    split = {"by": [{"property": name} for name in breakdown], "limit": limit} if breakdown else None
    return {
        "interval": None if interval == "whole" else interval,
        "period": {"start": period[0], "end": period[1]},
        "by": subject[0],
        "account_type": subject[1],
        "breakdown": split,
    }


def _property(name: str | None) -> dict[str, str] | None:
    return {"property": name} if name else None
