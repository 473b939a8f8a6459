"""Commands of plan and catalog: what should come, and what does."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.common import AsJson, Data, out, settings_of
from api.errors import ApiError
from api.settings import settings_to_ask

commands = typer.Typer()
plan = typer.Typer(no_args_is_help=True, help="The tracking plan: what should come, and how strictly.")
commands.add_typer(plan, name="plan")

PlanPath = Annotated[Path, typer.Argument(help="A plan, as YAML.")]


@plan.command()
def apply(
    file: PlanPath,
    operator: Annotated[str | None, typer.Option("--operator", help="Who applies it; the system's user.")] = None,
    data: Data = None,
) -> None:
    """Put a plan in force, through the log; works while the server runs, too."""
    from api.plan_files import apply_plan, operator_name, read_plan_file
    from api.printing.plan_tables import print_applied

    read = read_plan_file(file)
    applied = apply_plan(settings_of(data).log_folder, read, operator or operator_name())
    print_applied(out, applied.mode, applied.file_name, applied.sha256, applied.in_force_from.isoformat())


@plan.command()
def show(data: Data = None, as_json: AsJson = False) -> None:
    """The plan in force, who applied it and when, and what deviated."""
    from api.printing import terminal
    from api.printing.plan_tables import print_plan
    from ingest.plan.reading import plan_text

    response = _ask("GET", "plan", data)
    if as_json:
        terminal.print_json(out, response)
    elif response.json()["plan"] is None:
        out.print("No plan is in force. A first one: onepath plan learn > plan.yaml", highlight=False)
    else:
        print_plan(out, response.json(), plan_text(response.json()["plan"]))


@plan.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A plan, as YAML; the one in force by default.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 when anything deviates.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Compare plan and reality; changes nothing."""
    from api.printing import terminal
    from api.printing.plan_tables import print_check

    if file is None:
        response = _ask("GET", "plan/check", data, is_judging=True)
    else:
        from api.plan_files import read_plan_file
        from ingest.plan.plan import plan_values

        read = read_plan_file(file)
        asked = {"plan": plan_values(read.plan), "file_name": read.file_name}
        response = _ask("POST", "plan/check", data, asked, is_judging=True)
    if as_json:
        terminal.print_json(out, response)
    else:
        print_check(out, response.json())
    if strict and not response.json()["is_as_planned"]:
        raise typer.Exit(1)


@plan.command()
def learn(data: Data = None) -> None:
    """Print a first plan, as YAML, from what has been seen."""
    from ingest.plan.reading import plan_text

    draft = _ask("GET", "plan/draft", data).json()
    out.file.write("# Drafted from what has been seen: read it, mend it, then `onepath plan apply` it.\n")
    out.file.write("# A property is required here when all of at least 100 events had it.\n")
    out.file.write(plan_text(draft))


@commands.command()
def catalog(
    event: Annotated[str | None, typer.Option("--event", help="Only this event, with its properties.")] = None,
    examples: Annotated[int, typer.Option("--examples", help="Most example values of a property.", min=1, max=100)] = 3,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """What has been seen: events, properties, types, examples, SDKs."""
    from api.answering import answers
    from api.asking import project_path, unknown_events
    from api.printing import terminal
    from api.printing.plan_tables import print_catalog

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        for sentence in unknown_events(settings, ask, [] if event is None else [event]):
            raise ApiError(sentence)
        response = ask("GET", project_path(settings, "catalog", examples=examples, event=event))
    if as_json:
        terminal.print_json(out, response)
    else:
        print_catalog(out, response.json())
        terminal.print_watermark(out, response.json())


def _ask(method: str, path: str, data: Path | None, body: Any = None, *, is_judging: bool = False) -> Any:
    from api.answering import answers
    from api.asking import project_path
    from api.loaded_settings import differing_settings
    from api.printing import terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        if is_judging and backlog is not None:
            terminal.warn_of_settings(differing_settings(settings))
        return ask(method, project_path(settings, path), body)
