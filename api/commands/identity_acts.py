"""Commands by which operators set persons right: each says what it moves, asks, and writes an act into the log."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import Data, out, settings_to_ask

commands = typer.Typer()

LinkId = Annotated[str, typer.Argument(metavar="LINK_ID", help="As `onepath identity why` shows it.")]
Identities = Annotated[
    list[str], typer.Argument(metavar="KEY=VALUE...", help="Identities, such as login_id=teacher-17 mobile=139...")
]
Value = Annotated[str, typer.Argument(metavar="VALUE|KEY=VALUE", help="A value under any key, or under one.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would change.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Operator = Annotated[str | None, typer.Option("--operator", help="Who says so; the system's user.")]


@commands.command()
def retract(
    link_id: LinkId, is_dry_run: DryRun = False, is_sure: Sure = False, operator: Operator = None, data: Data = None
) -> None:
    """Take a link back: persons become as if it had never been seen."""
    _act("retract_link", [link_id], data, operator, is_dry_run=is_dry_run, is_sure=is_sure)


@commands.command()
def restore(
    link_id: LinkId, is_dry_run: DryRun = False, is_sure: Sure = False, operator: Operator = None, data: Data = None
) -> None:
    """Let a link count again that was taken back."""
    _act("restore_link", [link_id], data, operator, is_dry_run=is_dry_run, is_sure=is_sure)


@commands.command()
def split(
    identities: Identities,
    is_dry_run: DryRun = False,
    is_sure: Sure = False,
    operator: Operator = None,
    data: Data = None,
) -> None:
    """These identities leave their person: all links between them and the rest are taken back."""
    _act("split_person", identities, data, operator, is_dry_run=is_dry_run, is_sure=is_sure)


@commands.command()
def join(
    identities: Identities,
    is_dry_run: DryRun = False,
    is_sure: Sure = False,
    operator: Operator = None,
    data: Data = None,
) -> None:
    """Take a split back: all links of these identities that were taken back count again."""
    _act("join_person", identities, data, operator, is_dry_run=is_dry_run, is_sure=is_sure)


@commands.command()
def block(
    value: Value, is_dry_run: DryRun = False, is_sure: Sure = False, operator: Operator = None, data: Data = None
) -> None:
    """A value is nobody's own (a till, a shared tablet): nothing is linked by it any more."""
    _act("block_value", [value], data, operator, is_dry_run=is_dry_run, is_sure=is_sure)


@commands.command()
def unblock(
    value: Value, is_dry_run: DryRun = False, is_sure: Sure = False, operator: Operator = None, data: Data = None
) -> None:
    """Let a blocked value link again."""
    _act("unblock_value", [value], data, operator, is_dry_run=is_dry_run, is_sure=is_sure)


def _act(
    act: str, names: list[str], data: Path | None, operator: str | None, *, is_dry_run: bool, is_sure: bool
) -> None:
    from api.acting import numbers_now, preview_act, write_and_load
    from api.answering import answers
    from api.plan_files import operator_name
    from api.printing import terminal
    from api.printing.moved_lines import print_foreseen, print_now

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        preview = preview_act(settings, ask, act, names)
    print_foreseen(out, preview)
    if is_dry_run:
        out.print("Nothing was changed.")
        return
    if not is_sure:
        typer.confirm("Write it into the log?", abort=True)
    is_loaded = write_and_load(settings, preview, operator or operator_name())
    if not is_loaded:
        out.print("Written to the log. The server has not loaded it yet; it counts from the next load on.")
        return
    with answers(settings) as (ask, _):
        print_now(out, preview, numbers_now(settings, ask))
