"""`onepath trend`, `distribution` and `interval`: what is said on the command line is the question that is asked."""

import json
from datetime import datetime
from typing import Any

import pytest

from tests.houses import Done, House, told_house
from tests.stories import FixedClock, event, login, native

ANN, BOB = login("ann"), login("bob")
WEEK = ("--from", "2026-09-01", "--to", "2026-09-04")


def told(name: str, who: dict[str, str], moment: str, **properties: Any) -> dict[str, Any]:
    return event(name, who, datetime.fromisoformat(f"{moment}Z"), **properties)


# Ann tries on Tuesday and pays on Wednesday and again on Thursday; Bob tries and does not pay.
STORY = (
    told("trial", ANN, "2026-09-01T01:00:00", channel="ads"),
    told("trial", BOB, "2026-09-01T02:00:00", channel="fair"),
    told("pay", ANN, "2026-09-02T03:00:00", amount=50),
    told("pay", ANN, "2026-09-03T01:00:00", amount=70),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A folder in which the story is loaded."""
    return told_house(tmp_path_factory.mktemp("over_time") / "data", *map(native, STORY), clock_us=FixedClock())


def rows(house: House, *words: str) -> list[dict[str, Any]]:
    done: Done = house.cli(*words, "--format", "json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return list(answer["rows"])


def test_series_formulas_and_an_earlier_period(house: House) -> None:
    asked = ("trend", "trial", "pay", *WEEK, "--interval", "whole", "--formula", "B / A * 100", "--compare", "week")

    answer = rows(house, *asked)

    assert [(row["series_name"], row["value"], row["compared_value"]) for row in answer] == [
        ("trial", 2, 0),
        ("pay", 2, 0),
        ("B / A * 100", 100, None),
    ]


def test_a_property_is_measured_in_groups_that_grow(house: House) -> None:
    paid = rows(house, "trend", "pay", *WEEK, "--measure", "sum", "--property", "amount", "--cumulative")
    tried = rows(house, "trend", "trial", *WEEK, "--breakdown", "channel", "--limit", "1", "--interval", "week")
    highest = rows(house, "trend", "pay", "--measure", "percentile", "--percentile", "100", "--property", "amount")

    assert [row["value"] for row in paid] == [0, 50, 120]
    assert [(row["breakdown"], row["value"]) for row in tried] == [(["ads"], 1), (None, 1)]
    assert [row["value"] for row in highest] == [50, 70]


def test_a_table_reads_well(house: House) -> None:
    table = house.cli("trend", "pay", *WEEK).stdout

    assert [line.split() for line in table.splitlines() if "2026-09-02" in line] == [["1", "pay", "2026-09-02", "1"]]


def test_how_often_and_who(house: House) -> None:
    buckets = rows(house, "distribution", "trial", "pay", "--buckets", "1,2,3")
    [_, ann] = rows(house, "distribution", "trial", "pay", "--measure", "days", "--buckets", "1,3")
    people = house.cli("distribution", "trial", "pay", "--buckets", "1,2,3", "--people", '{"bucket_index": 3}').stdout

    assert [row["subject_count"] for row in buckets] == [1, 0, 1]
    assert (ann["bucket_from"], ann["subject_count"]) == (3, 1)
    assert people.splitlines()[-1] == "1 subject"


def test_how_long_it_takes(house: House) -> None:
    [paid] = rows(house, "interval", "trial", "pay", "--within", "30d", "--pairing", "last")
    [again] = rows(house, "interval", "pay")
    [quick] = rows(house, "interval", "trial", "pay", "--within", "1h")

    assert (paid["pair_count"], paid["median_s"]) == (1, 26 * 3600)
    assert (again["pair_count"], again["median_s"]) == (1, 22 * 3600)
    assert (quick["pair_count"], quick["median_s"]) == (0, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("trend", "pay", "--measure", "sum"), "The measure 'sum' needs a property."),
        (("trend", "pay", "--measure", "most"), 'series.0.measure cannot be "most": choose one of total, subjects'),
        (("trend", "pay", "--formula", "A; drop"), "'A; drop' is no formula"),
        (("trend", "payy"), "No event is named 'payy': did you mean 'pay'?"),
        (("distribution", "pay", "--buckets", "3,1"), "growing boundaries"),
        (("interval", "pay", "--within", "soon"), "'soon' is no duration"),
    ],
)
def test_a_wrong_question_gets_one_sentence(house: House, words: tuple[str, ...], sentence: str) -> None:
    done = house.cli(*words)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
