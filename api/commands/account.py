"""Commands about accounts: who is in one, which are one, what one is called."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.common import AsJson, Data, out
from api.settings import settings_to_ask
from ingest.account_acts import ADD_MEMBER, END_MEMBER, MERGE_ACCOUNTS, RENAME_ACCOUNT, UNMERGE_ACCOUNTS

commands = typer.Typer()
account = typer.Typer(no_args_is_help=True, help="Schools, classes, families: members, merges and names.")
commands.add_typer(account, name="account")

Type = Annotated[str, typer.Argument(metavar="TYPE", help="Account type, such as account, class or family.")]
AccountId = Annotated[str, typer.Argument(metavar="ID", help="Id of the account.")]
Who = Annotated[str, typer.Argument(metavar="KEY=VALUE", help="An identity, such as $identity_login_id=teacher-17.")]
At = Annotated[str | None, typer.Option("--at", help="From when on, ISO 8601; now by default.")]
Operator = Annotated[str | None, typer.Option("--operator", help="Who says so; the system's user.")]


@account.command()
def show(
    account_type: Type,
    account_id: AccountId,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most memberships to list.")] = 20,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """An account, how much counts for it, and its members."""
    from api.printing import terminal
    from api.printing.account_lines import print_account

    response = _ask(data, account_type, account_id, limit)
    if as_json:
        terminal.print_json(out, response)
    else:
        print_account(out, response.json())
        terminal.print_watermark(out, response.json())


@account.command("add-member")
def add_member(
    account_type: Type, account_id: AccountId, who: Who, at: At = None, operator: Operator = None, data: Data = None
) -> None:
    """A person is in an account from then on."""
    _write_member(ADD_MEMBER, account_type, account_id, who, at, operator, data)


@account.command("end-member")
def end_member(
    account_type: Type, account_id: AccountId, who: Who, at: At = None, operator: Operator = None, data: Data = None
) -> None:
    """A person is no longer in an account from then on."""
    _write_member(END_MEMBER, account_type, account_id, who, at, operator, data)


@account.command()
def merge(
    account_type: Type,
    account_id: AccountId,
    into_id: Annotated[str, typer.Argument(metavar="INTO", help="Id of the account that it counts for.")],
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would count elsewhere.")] = False,
    operator: Operator = None,
    data: Data = None,
) -> None:
    """All that ever named an account counts for another one of its type."""
    from api.printing.account_lines import print_merge

    if is_dry_run:
        print_merge(out, _ask(data, account_type, account_id, 1).json(), into_id)
        return
    _write(MERGE_ACCOUNTS, {"account_type": account_type, "account_id": account_id, "into_id": into_id}, operator, data)


@account.command()
def unmerge(account_type: Type, account_id: AccountId, operator: Operator = None, data: Data = None) -> None:
    """Take a merge back: the account counts for itself again."""
    _write(UNMERGE_ACCOUNTS, {"account_type": account_type, "account_id": account_id}, operator, data)


@account.command()
def rename(
    account_type: Type,
    account_id: AccountId,
    name: Annotated[str, typer.Argument(help="How it is shown; '' takes a given name away.")],
    operator: Operator = None,
    data: Data = None,
) -> None:
    """Show an account under another name; its id stays."""
    _write(RENAME_ACCOUNT, {"account_type": account_type, "account_id": account_id, "name": name}, operator, data)


def _write_member(
    act: str, account_type: str, account_id: str, who: str, at: str | None, operator: str | None, data: Path | None
) -> None:
    from api.account_acts import identity_details, moment_details

    timezone = settings_to_ask(data).project.project.timezone
    named = {"account_type": account_type, "account_id": account_id}
    _write(act, {**identity_details(who), **named, **moment_details(at, timezone)}, operator, data)


def _write(act: str, details: dict[str, Any], operator: str | None, data: Path | None) -> None:
    from api.account_acts import write_account_act
    from api.plan_files import operator_name

    write_account_act(settings_to_ask(data).log_folder, act, operator or operator_name(), details)
    out.print(f"Written to the log: {act}. It counts from the next load on.", highlight=False, soft_wrap=True)


def _ask(data: Path | None, account_type: str, account_id: str, limit: int) -> Any:
    from api.answering import answers
    from api.asking import project_path
    from api.printing import terminal

    settings = settings_to_ask(data)
    path = project_path(settings, "account", account_type=account_type, account_id=account_id, limit=limit)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        return ask("GET", path)
