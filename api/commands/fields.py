"""How the words of a command are said in a question."""

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from models.calendar import Interval

IntervalOrWhole = Annotated[
    Literal[Interval, "whole"], typer.Option("--interval", help="A row for each; or for the whole period.")
]

ExtendOverEnd = Annotated[
    bool, typer.Option("--extend-over-end", help="What follows a beginning in the period may come after --to.")
]


def any_of(events: Sequence[str | None] | None) -> list[dict[str, str | None]]:
    """Events of these names; None is any event."""
    return [{"event": name} for name in events or ()]


def property_of(name: str | None) -> dict[str, str] | None:
    """The event property of that name, where one was named."""
    return {"property": name} if name else None


def interval_or_none(interval: IntervalOrWhole) -> Interval | None:
    """The interval; None is the whole period."""
    return None if interval == "whole" else interval
