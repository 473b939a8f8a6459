"""Commands that ask: SQL and the sales path."""

from typing import Annotated, Literal

import typer

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


def _path(settings: Settings, name: str, known_at: str | None, happened_at: str | None) -> str:
    """Where a question is asked, as of a moment or now."""
    from urllib.parse import urlencode

    from api.asking import project_path

    given = {"known_at": known_at, "happened_at": happened_at}
    as_of = urlencode({key: value for key, value in given.items() if value is not None})
    return project_path(settings, name) + (f"?{as_of}" if as_of else "")
