"""The pages on paths, sessions and sequence functions say what the code does: their examples are asked."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from models.asking import ask
from models.calendar import Calendar
from models.matching import EventMatch, Step
from models.paths import KIND as PATHS
from models.paths import PathsQuestion
from models.questions import Question, QuestionKind
from models.sequences import (
    SEQUENCE_COUNT,
    SEQUENCE_NEXT_NODE,
    WINDOW_FUNNEL,
    SequenceCountQuestion,
    SequenceNextNodeQuestion,
    WindowFunnelQuestion,
)
from models.sequences.questions import WindowFunnelMode
from models.sessions import KIND as SESSIONS
from models.sessions import SessionsQuestion
from tests.sequence_streams import results_of
from tests.worlds import StoryEvent, World, at, person_id, world

CONCEPTS = Path(__file__).parent.parent / "docs/concepts"
LABELS = [{"parts": [{"property": "url"}], "any_of": [{"event": "visit"}]}]


def table(page: str, header: str) -> list[list[str]]:
    """The rows of the page's table that has this header, as cells; the bars of a pattern do not occur."""
    text = (CONCEPTS / page).read_text(encoding="utf-8")
    below = text.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in below.splitlines()[2:]]


def rows_of(kind: QuestionKind[Any], question: Question, snapshot: World) -> tuple[Any, ...]:
    return ask(kind, question, snapshot, Calendar()).rows


@pytest.fixture(scope="module")
def readers() -> World:
    return world(
        [
            StoryEvent(who, event, at(float(second)), properties={"url": url} if url else {})
            for who, event, url, second in table("paths.md", "who | event | url | second")
        ]
    )


@pytest.fixture(scope="module")
def classroom() -> World:
    return world(
        [
            StoryEvent(who, event, at(float(second)))
            for who, event, second in table("sessions.md", "who | event | second")
        ]
    )


@pytest.mark.parametrize(("asked", "edges"), table("paths.md", "question | edges: paths"))
def test_each_question_gives_the_edges_that_the_page_says(asked: str, edges: str, readers: World) -> None:
    question = TypeAdapter(PathsQuestion).validate_python({"labels": LABELS, **json.loads(asked.strip("`"))})
    rows = [row for row in rows_of(PATHS, question, readers) if row.part == "edge"]

    found = [f"{row.step_index} {row.source} > {row.target}: {row.path_count}" for row in rows]
    assert sorted(found) == sorted(edges.split(", "))


@pytest.mark.parametrize(("asked", "groups"), table("sessions.md", "question | group: sessions, events, bounces"))
def test_each_question_gives_the_sessions_that_the_page_says(asked: str, groups: str, classroom: World) -> None:
    question = TypeAdapter(SessionsQuestion).validate_json(asked.strip("`"))
    rows = rows_of(SESSIONS, question, classroom)

    found = [
        f"{(row.breakdown or ['all'])[0]}: {row.session_count}, {row.event_count}, {row.bounce_count}" for row in rows
    ]
    assert sorted(found) == groups.split("; ")


def test_the_page_explains_every_measure_of_a_session() -> None:
    text = " ".join(cell for cell, _ in table("sessions.md", "measure | meaning"))

    assert {"breakdown", "interval_start", *re.findall(r"`(\w+)`", text)} == set(SESSIONS.row.__dataclass_fields__)


def told(events: str) -> World:
    """`a x b=c`: one person's events a second apart, those joined by = at one time."""
    moments = enumerate(events.strip("`").split())
    return world([StoryEvent("ann", name, at(second)) for second, names in moments for name in names.split("=")])


def conditions(names: str) -> tuple[Step, ...]:
    return tuple(Step((EventMatch(name),)) for name in names)


def result_of(kind: QuestionKind[Any], question: Question, events: str, column: str) -> Any:
    return results_of(kind, question, told(events), column)[str(person_id("ann"))]


@pytest.mark.parametrize(("events", "modes", "level"), table("sequences.md", "events | modes | level"))
def test_each_run_of_events_reaches_the_level_that_the_page_says(events: str, modes: str, level: str) -> None:
    given: Any = tuple(re.findall(r"`(\w+)`", modes))
    question = WindowFunnelQuestion(
        conditions=conditions("abcd" if "d" in events else "abc"), window_s=100, modes=given
    )

    assert result_of(WINDOW_FUNNEL, question, events, "level") == int(level)


def test_the_page_explains_every_mode() -> None:
    explained = {mode.strip("`") for mode, _ in table("sequences.md", "mode | what changes")}

    assert explained == set(get_args(WindowFunnelMode))


@pytest.mark.parametrize(("events", "pattern", "matches"), table("sequences.md", "events | pattern | matches"))
def test_each_pattern_is_found_as_often_as_the_page_says(events: str, pattern: str, matches: str) -> None:
    question = SequenceCountQuestion(conditions=conditions("ab"), pattern=pattern.strip("`"))

    assert result_of(SEQUENCE_COUNT, question, events, "match_count") == int(matches)


@pytest.mark.parametrize(("events", "ends", "following"), table("sequences.md", "events | direction, base | next"))
def test_each_chain_has_next_what_the_page_says(events: str, ends: str, following: str) -> None:
    given: dict[str, Any] = dict(zip(("direction", "base"), re.findall(r"`(\w+)`", ends), strict=True))
    question = SequenceNextNodeQuestion(conditions=conditions("ab"), **given)

    assert result_of(SEQUENCE_NEXT_NODE, question, events, "next_node") == (
        None if following == "nothing" else following
    )


def test_the_examples_of_the_pages_are_questions() -> None:
    kinds = {
        "paths": PathsQuestion,
        "sessions": SessionsQuestion,
        "window-funnel": WindowFunnelQuestion,
        "sequence-count": SequenceCountQuestion,
    }
    pages = "".join(
        (CONCEPTS / page).read_text(encoding="utf-8") for page in ("paths.md", "sessions.md", "sequences.md")
    )
    examples = re.findall(r"^onepath ask (\S+) '(.*?)'(?: |$)", pages, re.MULTILINE)

    assert len(examples) == 6
    for name, text in examples:
        assert isinstance(TypeAdapter(kinds[name]).validate_json(text), Question)
