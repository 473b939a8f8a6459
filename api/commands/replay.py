"""The command that sends rejects through again, or rebuilds the warehouse from the log."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import Data, out
from api.commands.upkeep import Reason, RejectedEvent, RejectedProtocol, check_reason
from api.errors import ApiError
from api.settings import settings_to_ask

commands = typer.Typer()


@commands.command()
def replay(
    data: Data = None,
    reason: Reason = None,
    event: RejectedEvent = None,
    protocol: RejectedProtocol = None,
    since: Annotated[str | None, typer.Option("--since", help="Only rejects that arrived since, ISO 8601.")] = None,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come back.")] = False,
    is_all: Annotated[bool, typer.Option("--all", help="Rebuild the warehouse from the log, and compare.")] = False,
    is_check: Annotated[
        bool, typer.Option("--check", help="With --all: only compare; status 1 if they differ.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="With --all: keep the old warehouse file.")] = True,
) -> None:
    """Send rejects through again after what refused them was mended; --all rebuilds everything from the log."""
    check_reason(reason)
    chosen = {"reason": reason, "event_name": event, "protocol": protocol, "since": _moment(since)}
    if is_all or is_check:
        if is_dry_run or any(chosen.values()):
            raise ApiError("--all and --check take the whole log: leave out --reason, --event, --since and --dry-run")
        _rebuild(data, is_check=is_check, keep=keep)
        return
    from api.answering import answers
    from api.asking import project_path, running_server
    from api.loaded_settings import differing_settings
    from api.printing import reject_lines, terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        url = running_server(settings) if backlog is None else None
        if backlog is not None:
            terminal.warn_of_settings(differing_settings(settings))
        response = ask("POST", project_path(settings, "replay"), {**chosen, "is_dry_run": is_dry_run})
    reject_lines.print_replay(out, response.json(), server_url=url)


def _rebuild(data: Path | None, *, is_check: bool, keep: bool) -> None:
    from api.loaded_settings import differing_settings
    from api.printing import terminal
    from api.printing.rebuild_lines import print_rebuilt, rebuild_progress
    from api.rebuilding import rebuild_warehouse

    settings = settings_to_ask(data)
    terminal.warn_of_settings(differing_settings(settings))
    with rebuild_progress(settings.log_folder) as progress:
        rebuilt = rebuild_warehouse(settings, progress, is_check=is_check, keep=keep)
    print_rebuilt(out, rebuilt, settings.warehouse_path, is_check=is_check, keep=keep)
    if is_check and not rebuilt.is_equal_after_replay:
        raise typer.Exit(1)


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(
            f"--since {text!r} is no time; write one such as 2026-11-02 or 2026-11-02T08:00+08:00"
        ) from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).isoformat()
