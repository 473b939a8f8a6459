"""The pages on trends, distributions and intervals say what the code does: their examples are asked."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from models.asking import ask
from models.calendar import Calendar
from models.distribution import DEFAULT_BUCKETS, DistributionMeasure
from models.kinds import kind_named
from models.trend import Measure, Occurrence
from tests.oracle_periods import quantile
from tests.worlds import StoryEvent, World, world

PAGES = {
    name: (Path(__file__).parent.parent / f"docs/concepts/{name}.md").read_text(encoding="utf-8")
    for name in ("trend", "distribution", "interval")
}
WEEK = {"start": "2024-01-01", "end": "2024-01-06"}
SIDES = {"first": {"any_of": [{"event": "trial"}]}, "second": {"any_of": [{"event": "pay"}]}}


def table(page: str, start: str) -> list[list[str]]:
    """The rows of the table whose header starts so, as cells."""
    below = PAGES[page].split(f"| {start}", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in below.splitlines()[2:]]


def story(page: str) -> World:
    """The events that the page's example tells."""
    header = re.search(r"\| who \| does \| when \| (.+) \|", PAGES[page])
    assert header
    events = []
    for person, event, when, *values in table(page, "who | does"):
        named = dict(zip(header[1].split(" | "), values, strict=True))
        properties = {name: float(text) if name == "amount" else text for name, text in named.items() if text}
        events.append(StoryEvent(person, event, datetime.fromisoformat(when).replace(tzinfo=UTC), None, properties))
    return world(events)


def asked(name: str, question: dict[str, Any]) -> tuple[Any, ...]:
    kind = kind_named(name)
    return ask(kind, TypeAdapter(kind.question).validate_json(json.dumps(question)), story(name), Calendar()).rows


def said(cell: str) -> Any:
    """What a cell of code says, with `pay` written out."""
    return json.loads(cell.strip("`").replace("{pay", '{"any_of": [{"event": "pay"}]'))


def figures(cell: str) -> list[float | None]:
    """The numbers of a cell."""
    return [None if each == "null" else float(each) for each in cell.split(", ")]


@pytest.mark.parametrize(("series", "values"), [row[2:] for row in table("trend", "`measure` | of")])
def test_each_measure_of_the_page(series: str, values: str) -> None:
    found = [row.value for row in asked("trend", {"series": [said(series)], "period": WEEK})]

    assert found == pytest.approx(figures(values))


@pytest.mark.parametrize(("options", "values"), table("trend", "what is asked"))
def test_each_option_of_a_trend(options: str, values: str) -> None:
    rows = asked("trend", {"series": [said("{pay}")], "period": WEEK} | said(options))

    last = max(row.series_index for row in rows)
    assert [row.value for row in rows if row.series_index == last] == figures(values)


@pytest.mark.parametrize(("options", "amounts", "subjects"), table("distribution", "what is asked"))
def test_each_example_of_a_distribution(options: str, amounts: str, subjects: str) -> None:
    rows = asked("distribution", {"any_of": [{"event": "lesson"}]} | said(options))

    of_subjects = [float(each) for each in amounts.split(", ") if each != "none"]
    assert [row.subject_count for row in rows] == figures(subjects)
    assert rows[0].average == pytest.approx(sum(of_subjects) / len(of_subjects))


@pytest.mark.parametrize(("options", "hours", "median"), table("interval", "what is asked"))
def test_each_example_of_an_interval(options: str, hours: str, median: str) -> None:
    [row] = asked("interval", SIDES | said(options))

    durations = [float(hour) * 3600 for hour in hours.split(", ")]
    assert (row.pair_count, row.min_s, row.max_s) == (len(durations), durations[0], durations[-1])
    assert row.median_s == quantile(durations, 0.5) == float(median) * 3600
    assert row.p90_s == pytest.approx(quantile(durations, 0.9))


def test_the_pages_name_every_choice() -> None:
    for name, choices in (("trend", Measure), ("trend", Occurrence), ("distribution", DistributionMeasure)):
        for choice in get_args(choices):
            assert f"`{choice}`" in PAGES[name]
    assert f"`{[int(each) for each in DEFAULT_BUCKETS]}`" in PAGES["distribution"]
