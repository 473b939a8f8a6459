"""The page on funnels says what the code does: every row of its tables of examples is asked."""

import json
import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from models.asking import ask
from models.calendar import Calendar
from models.funnel import FUNNEL, FunnelDefinition, FunnelQuestion
from models.questions import Question
from tests.worlds import MONDAY, PropertyValue, StoryEvent, world
from warehouse.reader import EventProperty

PAGE = (Path(__file__).parent.parent / "docs/concepts/funnel.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| ([a-z]+ \d.*?) \| `(\{.*\})` \| (.*?) \|$", PAGE, re.MULTILINE)
PROPERTIES = [EventProperty("plan", "text"), EventProperty("product", "text")]
DEFAULTS: dict[str, Any] = {
    "steps": [{"any_of": [{"event": name}]} for name in ("reach", "trial", "pay")],
    "conversion_window_s": 3600,
}


def told(text: str) -> list[StoryEvent]:
    """The events of a row: `reach 9:00 plan=a, pay 9:30`."""
    events = []
    for part in text.split(", "):
        name, time, *carried = part.split()
        hours, minutes = map(int, time.split(":"))
        at = MONDAY + timedelta(hours=hours, minutes=minutes)
        properties: dict[str, PropertyValue] = {}
        for each in carried:
            key, value = each.split("=")
            properties[key] = value
        events.append(StoryEvent("ann", name, at, properties=properties))
    return events


@pytest.mark.parametrize(("events", "given", "expected"), EXAMPLES)
def test_each_example_counts_what_the_page_says(events: str, given: str, expected: str) -> None:
    question = TypeAdapter(FunnelQuestion).validate_python(DEFAULTS | json.loads(given))

    rows = ask(FUNNEL, question, world(told(events), PROPERTIES), Calendar(), "missing").rows

    counts: dict[str, list[str]] = {}
    for row in rows:
        counts.setdefault("/".join(row.breakdown), []).append(str(row.subject_count))
    said = [f"{group}: {', '.join(each)}" if group else ", ".join(each) for group, each in sorted(counts.items())]
    assert "; ".join(said) == expected


def test_the_page_has_examples_and_explains_every_field() -> None:
    assert len(EXAMPLES) > 25
    own = {each.name for each in fields(FunnelDefinition)} - {each.name for each in fields(Question)}
    table = PAGE.split("| field | default | meaning |")[1].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in rows for name in re.findall(r"`(\w+)`", cell)} == own
