"""What all commands that ask a question share: its options, who is asked, and how the answer is shown."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from api.commands.common import Data, HappenedAt, KnownAt, Output, out
from api.commands.shared_options import Given, add_command, given_to
from api.errors import ApiError
from api.settings import settings_to_ask
from ingest.message import DEFAULT_ACCOUNT_TYPE

Fields = Mapping[str, Any]
Own = TypeVar("Own", bound=Callable[..., Fields | tuple[str, Fields]])

MAX_LISTED = 10_000

commands = typer.Typer()


def period_and_subject(
    since: Annotated[str | None, typer.Option("--from", help="Only events from this moment on (ISO 8601).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Only events before this moment (ISO 8601).")] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="IANA name, such as Asia/Shanghai; the project's by default.")
    ] = None,
    by: Annotated[
        Literal["person", "account", "session"], typer.Option("--by", help="Count persons, accounts or sessions.")
    ] = "person",
    account_type: Annotated[
        str, typer.Option("--account-type", help="With --by account: which, such as school, class or family.")
    ] = DEFAULT_ACCOUNT_TYPE,
) -> Fields:
    """When, and whose path: fields of every question."""
    period = {"start": since, "end": until}
    return {"period": period, "timezone": timezone, "by": by, "account_type": account_type}


def breakdown_into_groups(
    breakdown: Annotated[
        list[str] | None,
        typer.Option("--breakdown", help="Split by this event property, or by event_name; may be repeated."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="So many largest groups of the breakdown; the rest is Other.")
    ] = None,
) -> Fields:
    """The groups an answer is split into."""
    if breakdown is None and limit is not None:
        raise ApiError("--limit says how many groups of a breakdown keep their names: give --breakdown PROPERTY too")
    return {"breakdown": {"by": [_property_or_name(name) for name in breakdown], "limit": limit} if breakdown else None}


def ask_question(
    name: str,
    question: Any,
    /,
    people: Annotated[
        str | None, typer.Option("--people", help='List who is behind a number, said as JSON: {"step_index": 2}.')
    ] = None,
    only_sql: Annotated[
        bool, typer.Option("--sql", help="Print the statement of the answer, or that of --people.")
    ] = False,
    known_at: KnownAt = None,
    happened_at: HappenedAt = None,
    data: Data = None,
    output: Output = "table",
) -> None:
    """Ask the running server, or the folder when nothing runs, and print what is wanted of the answer."""
    from api.answering import answers
    from api.asking import project_path
    from api.printing import answer_tables, terminal

    settings = settings_to_ask(data)
    wanted, body = name, question
    if people is not None:
        wanted = f"{name}/people"
        body = {"question": question, "of": read_json("--people", people), "limit": MAX_LISTED}
    elif only_sql:
        wanted = f"{name}/sql"
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        path = project_path(settings, wanted, known_at=known_at, happened_at=happened_at)
        said = ask("POST", path, body).json()
    if only_sql:
        statements = said["sql"] if people is not None else said
        out.file.write("\n\n".join(each["sql"] for each in statements) + "\n")
    elif people is not None:
        answer_tables.print_people(out, said, output)
    else:
        answer_tables.print_answer(out, name, said, output)


def question_command(
    commands: typer.Typer,
    name: str,
    shared: Sequence[Callable[..., Fields]] = (period_and_subject, breakdown_into_groups),
) -> Callable[[Own], Own]:
    """Make a command of a function that returns the fields of a question which only its own options say.

    The command also takes the options of `shared`, which say the other fields, and those of `ask_question`. `name` is
    that of the command and of the kind of question; where options choose the kind, the function returns it, too.
    """

    def add(own: Own) -> Own:
        def run(given: Given) -> None:
            said = own(**given_to(own, given))
            kind, fields = said if isinstance(said, tuple) else (name, said)
            for part in shared:
                fields = {**fields, **part(**given_to(part, given))}
            ask_question(kind, fields, **given_to(ask_question, given))

        add_command(commands, name, own, (*shared, ask_question), run)
        return own

    return add


@question_command(commands, "ask", shared=())
def ask_anything(
    name: Annotated[str | None, typer.Argument(help="The kind of question; without it, the kinds are listed.")] = None,
    question: Annotated[
        str, typer.Argument(help="The question as JSON, a file that holds it, or - for standard input.")
    ] = "{}",
) -> tuple[str, Fields]:
    """Ask any question, said in JSON as over HTTP: its rows, the people behind a number, or its SQL."""
    from api.printing import answer_tables
    from models.kinds import KINDS, kind_named

    if name is None:
        answer_tables.print_kinds(out, KINDS)
        raise typer.Exit
    return kind_named(name).name, read_json("the question", _text_of(question))


def read_json(what: str, text: str) -> Any:
    """JSON as somebody typed it; raises ApiError that says where it ends to be JSON."""
    import json

    from api import json_texts

    try:
        return json_texts.read_json(text)
    except json.JSONDecodeError as error:
        problem = json_texts.json_problem(error)
        raise ApiError(
            f"{what} is no JSON, {problem}: write it in single quotes, with names in double quotes"
        ) from error


def _property_or_name(name: str) -> dict[str, str]:
    return {"property": name, "of": "field"} if name == "event_name" else {"property": name}


def _text_of(question: str) -> str:
    if question == "-":
        return typer.get_text_stream("stdin").read()
    if question.lstrip()[:1] in ("{", "["):
        return question
    path = Path(question)
    if not path.is_file():
        raise ApiError(f"the question {question!r} is neither JSON, as '{{...}}', nor a file")
    return path.read_text(encoding="utf-8")
