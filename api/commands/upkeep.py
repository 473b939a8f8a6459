"""Commands for the person who runs it: refresh, rejects, arrivals, doctor."""

from difflib import get_close_matches
from typing import Annotated, get_args

import typer

from api.commands.common import AsJson, CollectorPort, Data, ServerPort, out
from api.errors import ApiError
from api.settings import settings_to_ask
from ingest.errors import RejectReason

commands = typer.Typer()

Reason = Annotated[str | None, typer.Option("--reason", help="Only rejects of this reason.")]
RejectedEvent = Annotated[str | None, typer.Option("--event", help="Only rejects of this event name.")]
RejectedProtocol = Annotated[str | None, typer.Option("--protocol", help="Only rejects of this protocol.")]


def check_reason(reason: str | None) -> None:
    """Raise `ApiError` when nothing is ever refused for this reason: an empty list would look like good news."""
    known = sorted(get_args(RejectReason))
    if reason is not None and reason not in known:
        close = get_close_matches(reason, known)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"use one of {', '.join(known)}"
        raise ApiError(f"--reason {reason!r} is no reason for a reject; {hint}")


@commands.command()
def refresh(
    data: Data = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Compute every day anew, not only those touched.")] = False,
) -> None:
    """Bring the marts up to date with what is loaded."""
    from api.answering import answers
    from api.asking import project_path
    from api.printing import terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("POST", project_path(settings, "refresh"), {"rebuild": rebuild})
    terminal.print_refresh(out, response.json())


@commands.command()
def rejects(
    data: Data = None,
    limit: Annotated[int, typer.Option("--limit", help="Most rejects to show.", min=1, max=1000)] = 20,
    reason: Reason = None,
    event: RejectedEvent = None,
    protocol: RejectedProtocol = None,
    is_full: Annotated[bool, typer.Option("--original", help="Print each original whole, JSON indented.")] = False,
    as_json: AsJson = False,
) -> None:
    """What was refused, and why: in kinds, then the newest."""
    from api.answering import answers
    from api.asking import project_path
    from api.printing import reject_lines, terminal
    from api.routes.originals import fill_originals

    check_reason(reason)
    settings = settings_to_ask(data)
    wanted = {"reason": reason, "event_name": event, "protocol": protocol}
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        kinds = ask("GET", project_path(settings, "rejects/summary", **wanted)).json()
        newest = ask("GET", project_path(settings, "rejects", **wanted, limit=limit)).json()
        if is_full:
            fill_originals(ask, settings, newest)
    if as_json:
        terminal.print_json_value(out, {"kinds": kinds, "rejects": newest})
        return
    reject_lines.print_summary(out, kinds)
    reject_lines.print_newest(out, newest, is_full=is_full)
    if kinds:
        reject_lines.print_next_step(out)


@commands.command()
def arrivals(data: Data = None, as_json: AsJson = False) -> None:
    """What came, by protocol and record type, and what became of it: duplicates by cause, rejects by reason."""
    from api.answering import answers
    from api.asking import project_path
    from api.printing import reject_lines, terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("GET", project_path(settings, "arrivals"))
    if as_json:
        terminal.print_json(out, response)
    else:
        reject_lines.print_arrivals(out, response.json())


@commands.command()
def doctor(
    data: Data = None,
    collector_port: CollectorPort = None,
    server_port: ServerPort = None,
    is_whole: Annotated[bool, typer.Option("--all", help="Name the settings at their default, too.")] = False,
) -> None:
    """Say how things stand, and name the settings that were set with value and origin."""
    from api.doctor import examine, read_bearably
    from api.printing import terminal

    ports = {"collector.port": collector_port, "server.port": server_port}
    reading = read_bearably(data, ports)
    terminal.print_doctor(out, reading.settings, examine(reading), is_whole=is_whole)
    if reading.wrong:
        raise typer.Exit(1)
