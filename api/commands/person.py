"""Commands about one person: their data out in one file, or gone for good."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import Data, out
from api.settings import settings_to_ask

commands = typer.Typer()
person = typer.Typer(no_args_is_help=True, help="One person's data: out in one file, or gone for good.")
commands.add_typer(person, name="person")

Wanted = Annotated[str, typer.Argument(metavar="PERSON", help="A person_id, or KEY=VALUE of an identity.")]


@person.command()
def export(
    wanted: Wanted,
    output: Annotated[Path | None, typer.Option("--output", help="File to write; standard output by default.")] = None,
    data: Data = None,
) -> None:
    """Everything that is kept about a person, as one JSON file."""
    from api.answering import answers
    from api.asking import project_path
    from api.errors import ApiError
    from api.printing import terminal
    from api.printing.person_lines import export_text, print_exported

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        found = ask("GET", project_path(settings, "persons/export", person=wanted)).json()
    if output is None:
        out.file.write(export_text(found))
        return
    try:
        output.write_text(export_text(found), encoding="utf-8")
    except OSError as error:
        raise ApiError(f"{output} cannot be written: {error.strerror}; name another file with --output") from error
    print_exported(out, found, output)


@person.command()
def delete(
    wanted: Wanted,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    operator: Annotated[str | None, typer.Option("--operator", help="Who deletes; the system's user.")] = None,
    data: Data = None,
) -> None:
    """Delete a person from warehouse, rejects and log, for good; the server must be stopped."""
    from api.forgetting import delete_person, preview_deletion
    from api.loaded_settings import differing_settings
    from api.plan_files import operator_name
    from api.printing import terminal
    from api.printing.person_lines import log_progress, print_deleted, print_preview
    from api.printing.rebuild_lines import rebuild_progress

    settings = settings_to_ask(data)
    terminal.warn_of_settings(differing_settings(settings))
    with log_progress("Searching the log", settings.log_folder) as tell:
        preview = preview_deletion(settings, wanted, tell)
    print_preview(out, preview)
    if is_dry_run:
        out.print("Nothing was changed.")
        return
    if not is_sure:
        typer.confirm("Delete this person for good?", abort=True)
    log = settings.log_folder
    with log_progress("Erasing from the log", log) as tell, rebuild_progress(log) as progress:
        deleted = delete_person(settings, preview, operator or operator_name(), tell, progress)
    print_deleted(out, deleted)
