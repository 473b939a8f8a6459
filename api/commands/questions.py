"""Commands that ask: SQL, funnel and the sales path."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from api.commands.asking import OnlySql, PeopleOf, Showing, ask_question
from api.commands.common import AccountTypeName, AsJson, By, Data, HappenedAt, KnownAt, out, settings_to_ask
from api.durations import parse_duration
from api.settings import Settings
from ingest.message import DEFAULT_ACCOUNT_TYPE

commands = typer.Typer()


@commands.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over the public views.")],
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print the rows.")
    ] = "table",
) -> None:
    """Run one SELECT: on the running server, or on the folder when nothing runs."""
    from api.answering import answers
    from api.printing import terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        accept = "text/csv" if output == "csv" else "application/json"
        response = ask("POST", _path(settings, "sql", known_at, happened_at), {"sql": statement}, accept=accept)
    terminal.print_rows(out, response, output)


@commands.command()
def funnel(
    steps: Annotated[list[str], typer.Argument(help="Event names, in order.")],
    window: Annotated[str, typer.Option("--window", help="Conversion window, such as 14d, 36h or 30m.")] = "14d",
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    breakdown: Annotated[str | None, typer.Option("--breakdown", help="Split by this event property.")] = None,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """How many go from step to step within a window."""
    from api.printing import terminal

    question = {
        "steps": [{"any_of": [{"event": step}]} for step in steps],
        "conversion_window_s": parse_duration(window),
        "by": by,
        "account_type": account_type,
        "breakdown": breakdown,
    }
    _answer("funnel", question, (known_at, happened_at), data, as_json, terminal.print_funnel, events=steps)


@commands.command("sales-path")
def sales_path(
    by: By = "person",
    account_type: AccountTypeName = DEFAULT_ACCOUNT_TYPE,
    window: Annotated[
        str | None, typer.Option("--window", help="Count entries within this time of the first; none by default.")
    ] = None,
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """How far persons or accounts came along the stages of the sales path."""

    question = {"by": by, "account_type": account_type, "window_s": parse_duration(window) if window else None}
    ask_question(
        "sales-path", question, data, Showing("json" if as_json else "table", people, only_sql, known_at, happened_at)
    )


def _answer(
    name: str,
    question: dict[str, Any],
    as_of: tuple[str | None, str | None],
    data: Path | None,
    as_json: bool,
    show: Callable[[Console, dict[str, Any]], None],
    events: Sequence[str] = (),
) -> None:
    from api.answering import answers
    from api.asking import unknown_events
    from api.printing import terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("POST", _path(settings, name, *as_of), question)
        terminal.warn_of_unknown_events(unknown_events(settings, ask, events))
    if as_json:
        terminal.print_json(out, response)
    else:
        show(out, response.json())
        terminal.print_watermark(out, response.json())


def _path(settings: Settings, name: str, known_at: str | None, happened_at: str | None) -> str:
    """Where a question is asked, as of a moment or now."""
    from urllib.parse import urlencode

    from api.asking import project_path

    given = {"known_at": known_at, "happened_at": happened_at}
    as_of = urlencode({key: value for key, value in given.items() if value is not None})
    return project_path(settings, name) + (f"?{as_of}" if as_of else "")
