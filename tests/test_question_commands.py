"""The commands that ask: each asks by default what its question in JSON asks, and all take the same options."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from typer.main import get_command

from api.cli import app
from api.commands import asking
from api.durations import BadDuration, parse_duration
from api.errors import ApiError
from models.breakdown import Breakdown
from models.calendar import Period
from models.kinds import KINDS, kind_named
from models.questions import Question

ROOT = Path(__file__).parent.parent
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]  # it is a group of commands
SHARED = {"--from", "--to", "--timezone", "--by", "--account-type"}
SHOWING = {"--people", "--sql", "--known-at", "--happened-at", "--data", "--format"}

# What must be said, on the command line and in JSON.
EVENT, BUY = {"any_of": [{"event": None}]}, {"any_of": [{"event": "buy"}]}
LEAST: list[tuple[str, list[str], dict[str, Any]]] = [
    ("trend", [], {"series": [EVENT]}),
    ("retention", [], {}),
    ("lifecycle", [], {}),
    ("stickiness", [], {}),
    ("distribution", ["buy"], BUY),
    ("interval", ["buy"], {"first": BUY, "second": BUY}),
    ("paths", [], {}),
    ("sessions", [], {}),
    ("window-funnel", ["buy", "--window", "1h"], {"conditions": [BUY], "window_s": 3600}),
    ("funnel", ["buy"], {"steps": [BUY]}),
    ("funnel-trend", ["buy", "--trend", "day"], {"steps": [BUY]}),
    ("time-to-convert", ["buy", "buy", "--times"], {"steps": [BUY, BUY]}),
    ("sales-path", [], {}),
]
COMMAND_OF = {"funnel-trend": "funnel", "time-to-convert": "funnel"}


def asked(monkeypatch: pytest.MonkeyPatch, command: str, *words: str) -> tuple[str, Question]:
    """The kind of question that a command would ask, and the question."""
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(asking, "ask_question", lambda name, question, /: found.append((name, question)))
    COMMANDS[command].main([*words], standalone_mode=False)
    [(name, question)] = found
    return name, TypeAdapter(kind_named(name).question).validate_python(question)


@pytest.mark.parametrize(("kind", "words", "least"), LEAST, ids=[kind for kind, _, _ in LEAST])
def test_a_command_asks_by_default_what_the_question_in_json_asks(
    monkeypatch: pytest.MonkeyPatch, kind: str, words: list[str], least: dict[str, Any]
) -> None:
    by_default = TypeAdapter(kind_named(kind).question).validate_python(least)

    assert asked(monkeypatch, COMMAND_OF.get(kind, kind), *words) == (kind, by_default)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in COMMANDS], ids=lambda kind: kind.name)
def test_all_questions_take_the_same_options(kind: Any) -> None:
    options = {name for parameter in COMMANDS[kind.name].params for name in parameter.opts if name.startswith("--")}

    of_groups = {"--breakdown", "--limit"} if "breakdown" in kind.question.__dataclass_fields__ else set()
    assert options >= SHARED | SHOWING | of_groups
    assert not options & {"--json", "--since", "--until"}


def test_what_the_shared_options_say_is_in_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    period = ("--from", "2026-09-01", "--to", "2026-09-08T12:00", "--timezone", "Asia/Shanghai")
    whose = ("--by", "account", "--account-type", "school")
    groups = ("--breakdown", "channel", "--breakdown", "event_name", "--limit", "3")

    _, question = asked(monkeypatch, "lifecycle", *period, *whose, *groups)

    said = TypeAdapter(Period).validate_python({"start": "2026-09-01", "end": "2026-09-08T12:00"})
    by = [{"property": "channel"}, {"property": "event_name", "of": "field"}]
    split = TypeAdapter(Breakdown).validate_python({"by": by, "limit": 3})
    same = kind_named("lifecycle").question(
        period=said, timezone="Asia/Shanghai", by="account", account_type="school", breakdown=split
    )
    assert question == same


@pytest.mark.parametrize(
    ("command", "words", "sentence"),
    [
        ("trend", ["--limit", "3"], "--limit says how many groups of a breakdown keep their names: give --breakdown"),
        ("funnel", ["buy", "--trend", "week", "--times"], "two questions: ask one after the other"),
        ("funnel", ["buy", "--window", "0"], "a conversion window of 0 holds nothing: give it a length such as 14d"),
        ("sessions", ["--gap", "0m"], "a gap of 0m holds nothing"),
        ("interval", ["buy", "--within", "90"], "'90' is no duration; write one such as 14d, 36h, 30m or 90s"),
    ],
)
def test_what_cannot_be_asked_gets_one_sentence(
    monkeypatch: pytest.MonkeyPatch, command: str, words: list[str], sentence: str
) -> None:
    with pytest.raises(ApiError, match=re.escape(sentence)):
        asked(monkeypatch, command, *words)


@pytest.mark.parametrize(
    ("text", "seconds"), [("14d", 14 * 86_400), ("1.5 H", 5400), ("30m", 1800), ("90s", 90), ("2w", 14 * 86_400)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    with pytest.raises(BadDuration):
        parse_duration(f"-{text}")


def examples() -> list[str]:
    """Each command line that stands in a block of a page."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [
        block
        for page in pages
        for block in re.findall(r"```\w*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [found[1] for line in lines if (found := re.match(r"(?:\.venv/bin/)?onepath (.*)", line.strip()))]


@pytest.mark.parametrize("line", examples())
def test_the_command_lines_of_the_pages_are_understood(line: str) -> None:
    first, *words = shlex.split(line, comments=True)
    command = COMMANDS[first]
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]

    command.make_context(first, words)


def test_a_list_that_was_cut_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    from io import StringIO

    from rich.console import Console

    from api.printing.answer_tables import print_people

    teachers = {"count": 3, "subjects": ["teacher-1", "teacher,2"]}
    out = {output: Console(width=80, file=StringIO()) for output in ("table", "csv", "json")}

    for output, console in out.items():
        print_people(console, teachers, output)

    printed = {output: console.file.getvalue() for output, console in out.items()}  # type: ignore[attr-defined]  # StringIO
    assert printed["table"] == "teacher-1\nteacher,2\n3 subjects\n"
    assert printed["csv"] == 'subject_id\nteacher-1\n"teacher,2"\n'
    assert json.loads(printed["json"]) == teachers
    said = "onepath: 2 of 3 are listed; --people with --sql prints the statement that lists all"
    assert capsys.readouterr().err.splitlines() == [said] * 3
