"""The page on questions says what the code does: its table of filters is asked, its tables of fields are complete."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

from models.filters import Filter, Operator
from models.questions import Question, Scope, SeenEvents
from models.sql import render
from tests.worlds import Carried, StoryEvent, World, at, world
from warehouse.reader import EventProperty

PAGE = (Path(__file__).parent.parent / "docs/concepts/questions.md").read_text(encoding="utf-8")
EVENTS = [
    StoryEvent("ann", "pay", at(0), properties={"amount": 95.0, "channel": "ads"}),
    StoryEvent("bob", "pay", at(1), misfits={"amount": "free"}),
]


def table(header: str) -> list[list[str]]:
    """The rows of the table that has this header, as cells."""
    below = PAGE.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in below.splitlines()[2:]]


@pytest.fixture(scope="module")
def snapshot() -> World:
    properties = [EventProperty("amount", "number", misfit_names=("amount",)), EventProperty("channel", "text")]
    return world(EVENTS, properties, Carried(persons={"ann": {"city": "Wuhan"}}))


@pytest.mark.parametrize(("filter_json", "kept"), table("filter | keeps"))
def test_each_filter_keeps_whom_the_page_says(filter_json: str, kept: str, snapshot: World) -> None:
    condition: Filter = TypeAdapter(Filter).validate_json(filter_json.strip("`"))
    seen = SeenEvents(
        Question(where=(condition,), by="distinct_id"), Scope(properties=tuple(snapshot.event_properties()))
    )

    rows = seen.rows({})

    found = snapshot.query(render(seen.ctes, rows))["subject_id"].to_pylist()
    assert sorted(found) == kept.lower().split(", ")


def test_every_operator_and_every_shared_field_is_explained() -> None:
    operators = {name for cell, _ in table("`op` | holds where") for name in re.findall(r"`(\w+)`", cell)}
    assert operators == set(get_args(Operator))

    explained = {name.strip("`"): default.strip("`") for name, default, _ in table("field | default | meaning")}
    assert set(explained) == {each.name for each in fields(Question)}
    assert (explained["by"], explained["account_type"]) == (Question().by, Question().account_type)


def test_the_examples_of_the_page_are_questions() -> None:
    for text in re.findall(r"^onepath ask \S+ '(\{.*?\})'", PAGE, re.MULTILINE):
        assert isinstance(json.loads(text), dict)
