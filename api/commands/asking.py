"""What all commands that ask a question share: its options, who is asked, and how the answer is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import typer

from api.commands.common import Data, HappenedAt, KnownAt, out, settings_to_ask
from api.settings import Settings

Output = Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How to print the answer.")]
PeopleOf = Annotated[
    str | None,
    typer.Option(
        "--people",
        help='List who is behind a number, said as JSON, as {"step_index": 2}; with --sql, the statement of the list.',
    ),
]
OnlySql = Annotated[bool, typer.Option("--sql", help="Print the statement that answers, without running it.")]

MAX_LISTED = 10_000


@dataclass(frozen=True)
class Showing:
    """What to do with a question: show its answer in a form, list the people behind a number, or print its SQL."""

    output: Literal["table", "csv", "json"] = "table"
    people: str | None = None
    only_sql: bool = False
    known_at: str | None = None
    happened_at: str | None = None


def ask_question(name: str, question: Mapping[str, Any], data: Path | None, showing: Showing) -> None:
    """Ask the running server, or the folder when nothing runs; prints what `showing` says."""
    from api.answering import answers
    from api.printing import answer_tables, terminal

    settings = settings_to_ask(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        if showing.people is not None:
            request = {"question": question, "of": read_json("--people", showing.people), "limit": MAX_LISTED}
            response = ask("POST", _path(settings, f"{name}/people", showing), request)
            if showing.only_sql:
                out.file.write(response.json()["sql"][0]["sql"] + "\n")
            else:
                answer_tables.print_people(out, response, showing.output)
            return
        if showing.only_sql:
            statements = ask("POST", _path(settings, f"{name}/sql", showing), question).json()
            out.file.write("\n\n".join(each["sql"] for each in statements) + "\n")
            return
        response = ask("POST", _path(settings, name, showing), question)
    if showing.output == "json":
        terminal.print_json(out, response)
    elif showing.output == "csv":
        answer_tables.print_csv(out, response.json())
    else:
        answer_tables.print_answer(out, name, response.json())
        terminal.print_watermark(out, response.json())


def read_json(what: str, text: str) -> Any:
    """JSON as somebody typed it; raises ApiError that says where it ends to be JSON."""
    import json

    from api.errors import ApiError

    try:
        return json.loads(text)
    except ValueError as error:
        raise ApiError(
            f"{what} is no JSON ({error}): write it in single quotes, with names in double quotes"
        ) from error


def _path(settings: Settings, name: str, showing: Showing) -> str:
    """Where a question is asked, as of a moment or now."""
    from api.asking import project_path

    given = {"known_at": showing.known_at, "happened_at": showing.happened_at}
    as_of = urlencode({key: value for key, value in given.items() if value is not None})
    return project_path(settings, name) + (f"?{as_of}" if as_of else "")


commands = typer.Typer()


@commands.command("ask")
def ask_anything(
    name: Annotated[str | None, typer.Argument(help="The kind of question; without it, the kinds are listed.")] = None,
    question: Annotated[
        str, typer.Argument(help="The question as JSON, a file that holds it, or - for standard input.")
    ] = "{}",
    people: PeopleOf = None,
    only_sql: OnlySql = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """Ask any question, said in JSON as over HTTP: its rows, the people behind a number, or its SQL."""
    from api.printing import answer_tables
    from models.kinds import KINDS, kind_named

    if name is None:
        answer_tables.print_kinds(out, KINDS)
        return
    showing = Showing(output, people, only_sql, known_at, happened_at)
    ask_question(kind_named(name).name, read_json("the question", _text_of(question)), data, showing)


def _text_of(question: str) -> str:
    if question == "-":
        return typer.get_text_stream("stdin").read()
    path = Path(question)
    return path.read_text(encoding="utf-8") if not question.lstrip().startswith("{") and path.is_file() else question
