"""Commands for the person who runs it: refresh, rejects, doctor."""

from typing import Annotated
from urllib.parse import urlencode

import typer

from api.commands.common import AsJson, CollectorPort, Data, ServerPort, out, settings_to_ask
from api.settings import read_settings

commands = typer.Typer()


@commands.command()
def refresh(
    data: Data = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Compute every day anew, not only those touched.")] = False,
) -> None:
    """Bring the marts up to date with what is loaded."""
    from api import terminal
    from api.answering import answers
    from api.asking import project_path

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("POST", project_path(settings, "refresh"), {"rebuild": rebuild})
    terminal.print_refresh(out, response.json())


@commands.command()
def rejects(
    data: Data = None,
    limit: Annotated[int, typer.Option("--limit", help="Most rejects to show.", min=1, max=1000)] = 20,
    reason: Annotated[str | None, typer.Option("--reason", help="Only those of this reason.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was refused, and why, newest first."""
    from api import terminal
    from api.answering import answers
    from api.asking import project_path

    settings = settings_to_ask(data)
    query = "rejects?" + urlencode({"limit": limit} | ({"reason": reason} if reason else {}))
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("GET", project_path(settings, query))
    terminal.print_rejects(out, response, as_json)


@commands.command()
def doctor(data: Data = None, collector_port: CollectorPort = None, server_port: ServerPort = None) -> None:
    """Name every setting with its value and origin, and say how things stand."""
    from api import terminal
    from api.doctor import examine

    settings = read_settings(data, {"collector.port": collector_port, "server.port": server_port}, create=False)
    terminal.print_doctor(out, settings, examine(settings))
