"""Commands that ask: SQL and the sales path."""

from typing import Annotated

import typer

from api.commands.asking import Fields, period_and_subject, question_command
from api.commands.common import Data, HappenedAt, KnownAt, Output, out
from api.durations import parse_duration
from api.settings import settings_to_ask

commands = typer.Typer()


@commands.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over the public views.")],
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """Run one SELECT: on the running server, or on the folder when nothing runs."""
    from api.answering import answers
    from api.asking import project_path
    from api.printing import terminal

    settings = settings_to_ask(data)
    path = project_path(settings, "sql", known_at=known_at, happened_at=happened_at)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        accept = "text/csv" if output == "csv" else "application/json"
        response = ask("POST", path, {"sql": statement}, accept=accept)
    terminal.print_rows(out, response, output)


@question_command(commands, "sales-path", shared=(period_and_subject,))
def sales_path(
    window: Annotated[
        str | None, typer.Option("--window", help="Count entries within this time of the first; none by default.")
    ] = None,
) -> Fields:
    """How far persons or accounts came along the stages of the sales path."""
    return {"conversion_window_s": parse_duration(window, "a window") if window else None}
