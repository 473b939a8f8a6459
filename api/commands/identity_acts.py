"""Commands by which operators set persons right: each says what it moves, asks, and writes an act into the log."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from api.commands.common import Data, out
from api.commands.shared_options import Given, add_command, given_to
from api.settings import settings_to_ask

commands = typer.Typer()

LinkId = Annotated[str, typer.Argument(metavar="LINK_ID", help="As `onepath identity why` shows it.")]
Identities = Annotated[
    list[str], typer.Argument(metavar="KEY=VALUE...", help="Identities, such as login_id=teacher-17 mobile=139...")
]
Value = Annotated[str, typer.Argument(metavar="VALUE|KEY=VALUE", help="A value under any key, or under one.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would change.")]
Operator = Annotated[str | None, typer.Option("--operator", help="Who says so; the system's user.")]

Named = TypeVar("Named", bound=Callable[..., list[str]])


def do_act(
    act: str,
    names: list[str],
    /,
    is_dry_run: DryRun = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    operator: Operator = None,
    data: Data = None,
) -> None:
    """Say what the act would move and, when that is wanted, write it and say what it moved."""
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


def act_command(name: str, act: str) -> Callable[[Named], Named]:
    """Make a command that does an act of a function that returns what the act names."""

    def add(own: Named) -> Named:
        def run(given: Given) -> None:
            do_act(act, own(**given_to(own, given)), **given_to(do_act, given))

        add_command(commands, name, own, [do_act], run)
        return own

    return add


@act_command("retract", "retract_link")
def retract(link_id: LinkId) -> list[str]:
    """Take a link back: persons become as if it had never been seen."""
    return [link_id]


@act_command("restore", "restore_link")
def restore(link_id: LinkId) -> list[str]:
    """Let a link count again that was taken back."""
    return [link_id]


@act_command("split", "split_person")
def split(identities: Identities) -> list[str]:
    """These identities leave their person: all links between them and the rest are taken back."""
    return identities


@act_command("join", "join_person")
def join(identities: Identities) -> list[str]:
    """Take a split back: all links of these identities that were taken back count again."""
    return identities


@act_command("block", "block_value")
def block(value: Value) -> list[str]:
    """A value is nobody's own (a till, a shared tablet): nothing is linked by it any more."""
    return [value]


@act_command("unblock", "unblock_value")
def unblock(value: Value) -> list[str]:
    """Let a blocked value link again."""
    return [value]
