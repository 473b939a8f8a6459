"""Commands about One-ID: why somebody is one person, who stopped growing, and the rules; acts stand beside them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands import identity_acts
from api.commands.common import AsJson, Data, out
from api.commands.identity_acts import DryRun, Operator
from api.settings import settings_to_ask

commands = typer.Typer()
identity = typer.Typer(no_args_is_help=True, help="One-ID: why somebody is one person, and setting it right.")
rules = typer.Typer(no_args_is_help=True, help="The rules of who may be one person.")
commands.add_typer(identity, name="identity")


@identity.command()
def why(
    person: Annotated[
        str, typer.Argument(metavar="PERSON", help="A person_id, its beginning, KEY=VALUE of an identity, or a value.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=0, max=1000, help="Most links to list that do not count.")] = 20,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Every identity of a person, the message that linked it, what was refused and why."""
    from urllib.parse import quote

    from api.printing import terminal
    from api.printing.identity_lines import print_why

    response = _ask("GET", f"persons/{quote(person, safe='')}/why?limit={limit}", data)
    if as_json:
        terminal.print_json(out, response)
    else:
        print_why(out, response.json(), limit)
        terminal.print_watermark(out, response.json())


identity.add_typer(identity_acts.commands)


@identity.command()
def alarms(data: Data = None, as_json: AsJson = False) -> None:
    """Persons that stopped growing because a limit was reached."""
    from api.printing import terminal
    from api.printing.identity_lines import print_alarms

    response = _ask("GET", "identity/alarms", data)
    if as_json:
        terminal.print_json(out, response)
    else:
        print_alarms(out, response.json())


identity.add_typer(rules, name="rules")


@rules.command()
def show(data: Data = None, as_json: AsJson = False) -> None:
    """The rules that were set last, and what holds for each key."""
    from api.printing import terminal
    from api.printing.identity_lines import print_rules
    from ingest.identity.reading import rules_text

    response = _ask("GET", "identity/rules", data)
    if as_json:
        terminal.print_json(out, response)
    else:
        print_rules(out, response.json(), rules_text(response.json()["rules"] or {}))


@rules.command()
def apply(
    file: Annotated[Path, typer.Argument(help="Identity rules, as YAML.")],
    is_dry_run: DryRun = False,
    operator: Operator = None,
    data: Data = None,
) -> None:
    """Set the rules, through the log: they hold for what arrives from then on."""
    from api.identity_acts import apply_rules, read_rules_file
    from api.plan_files import operator_name
    from api.printing.identity_lines import print_rules_applied

    read = read_rules_file(file)
    asked = {"rules": read.rules, "file_name": read.file_name, "is_dry_run": True}
    changes = _ask("POST", "identity/rules", data, asked).json()["changes"]
    from_us = None
    if not is_dry_run:
        from_us = apply_rules(settings_to_ask(data).log_folder, read, operator or operator_name())
    print_rules_applied(out, changes, read.file_name, from_us)


def _ask(method: str, path: str, data: Path | None, body: Any = None) -> Any:
    from api.answering import answers
    from api.asking import project_path
    from api.printing import terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        return ask(method, project_path(settings, path), body)
