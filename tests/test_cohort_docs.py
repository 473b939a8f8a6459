"""The pages on retention, lifecycle and stickiness say what the code does: their stories are asked."""

import json
import re
from collections import defaultdict
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from models import lifecycle, retention, stickiness
from models.asking import ask
from models.calendar import Calendar
from models.kinds import kind_named
from models.questions import Question, QuestionKind
from tests.worlds import MONDAY, StoryEvent, World, world

FOLDER = Path(__file__).parent.parent / "docs/concepts"
PAGES = {name: (FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in ("retention", "lifecycle", "stickiness")}
CALENDAR = Calendar()
SIGN, VISIT = {"any_of": [{"event": "sign"}]}, {"any_of": [{"event": "visit"}]}
TOLD = re.compile(r"(\w+)(?:\[(\w+)\])? ([\d.]+)")


def table(page: str, header: str) -> list[list[str]]:
    """The rows of the page's table that has this header, as cells."""
    below = PAGES[page].split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in below.splitlines()[2:]]


def story(page: str) -> World:
    """The page's people and what they did; a day's events are seconds apart."""
    events = [
        StoryEvent(
            person,
            name,
            MONDAY + timedelta(days=float(day) - 1, seconds=position),
            properties={"plan": plan} if plan else {},
        )
        for person, told in table(page, "person | events")
        for position, (name, plan, day) in enumerate(TOLD.findall(told))
    ]
    return world(events)


def rows(kind: QuestionKind[Any], question: dict[str, Any], snapshot: World) -> tuple[Any, ...]:
    """The answer to a question in JSON."""
    return ask(kind, TypeAdapter(kind.question).validate_json(json.dumps(question)), snapshot, CALENDAR).rows


@pytest.mark.parametrize(("asked", "first", "second", "third"), table("retention", "asked with | 1st | 2nd | 3rd"))
def test_the_cohorts_of_the_page(asked: str, first: str, second: str, third: str) -> None:
    question = {"start": SIGN, "returning": VISIT, "periods": 3, **json.loads(asked.strip("`"))}

    counts: dict[int, list[str]] = defaultdict(list)
    for row in rows(retention.KIND, question, story("retention")):
        counts[row.cohort_start.day].append(str(row.retained_count))

    assert [" ".join(counts[day]) for day in (1, 2, 3)] == [first, second, third]


def test_the_first_sign_up_ever_was_of_the_free_plan() -> None:
    full = {"any_of": [{"event": "sign", "where": [{"property": "plan", "value": "full"}]}]}

    def cohort_sizes(mode: str) -> dict[int, int]:
        found = rows(retention.KIND, {"start": full, "mode": mode, "periods": 0}, story("retention"))
        return {row.cohort_start.day: row.cohort_size for row in found if row.cohort_size}

    assert (cohort_sizes("first_time"), cohort_sizes("first_ever")) == ({3: 1}, {})


@pytest.mark.parametrize(("asked", "days"), table("lifecycle", "asked with | days"))
def test_the_days_of_the_page(asked: str, days: str) -> None:
    found = rows(lifecycle.KIND, json.loads(asked.strip("`")), story("lifecycle"))

    counts = [(row.new_count, row.returning_count, row.resurrecting_count, row.dormant_count) for row in found]
    assert ", ".join(" ".join(map(str, day)) for day in counts) == days


@pytest.mark.parametrize(("asked", "counts"), table("stickiness", "asked with | people by count of days"))
def test_the_counts_of_the_page(asked: str, counts: str) -> None:
    found = rows(stickiness.KIND, json.loads(asked.strip("`")), story("stickiness"))

    assert " ".join(str(row.subject_count) for row in found) == counts


@pytest.mark.parametrize("page", PAGES)
def test_every_field_is_explained(page: str) -> None:
    shared = {each.name for each in fields(Question)}
    own = {each.name for each in fields(kind_named(page).question)} - shared

    assert {name for name in own if f"`{name}`" not in PAGES[page]} - {"breakdown", "interval"} == set()


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_are_questions(page: str) -> None:
    examples = re.findall(r"^onepath ask (\S+) '(\{.*?\})'(?: --people '(\{.*\})')?$", PAGES[page], re.MULTILINE)
    assert examples
    for name, question, of in examples:
        kind = kind_named(name)
        TypeAdapter(kind.question).validate_json(question)
        if of:
            TypeAdapter(kind.number).validate_json(of)
