"""The command that watches: what arrives, as it arrives."""

from typing import Annotated

import typer

from api.commands.common import Data
from api.settings import settings_to_ask

commands = typer.Typer()


@commands.command()
def tail(
    event: Annotated[str | None, typer.Option("--event", help="Only this event, or calls of this type.")] = None,
    identity: Annotated[str | None, typer.Option("--identity", help="Only this identity, by its value.")] = None,
    rejects: Annotated[bool, typer.Option("--rejects", help="Only what is refused.")] = False,
    last: Annotated[int, typer.Option("--last", help="Begin with so many that came before.", min=0, max=1000)] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Whole messages, one JSON object a line.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Do not cut lines to the width of the terminal.")] = False,
    data: Data = None,
) -> None:
    """Watch what arrives, decoded, what is refused in red, until Ctrl-C. Needs no server."""
    from api.watching import watch
    from ingest.tail import TailFilter

    watch(settings_to_ask(data), TailFilter(event, identity, rejects), last=last, as_json=as_json, is_full=full)
