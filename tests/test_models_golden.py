"""Published figures: cohorts of the CDNOW purchases, as papers on them count them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.asking import ask
from models.calendar import Calendar, Period
from models.matching import Step
from models.retention import KIND, RetentionQuestion, RetentionValue
from tests.worlds import PropertyValue, StoryEvent, world

CDNOW = Path(__file__).parent / "golden/cdnow_1997_01.txt"
JANUARY = datetime(1997, 1, 1, tzinfo=UTC)


def purchases() -> list[StoryEvent]:
    """A purchase in each month of each customer; what those of a pattern spent, the first of them spends."""
    events = []
    for number, line in enumerate(CDNOW.read_text(encoding="utf-8").splitlines()):
        if line.startswith("#"):
            continue
        pattern, count, *spent = line.split()
        for customer in range(int(count)):
            for month in (month for month, mark in enumerate(pattern) if mark == "x"):
                has_spent = customer == 0 and month < len(spent)
                revenue: dict[str, PropertyValue] = {"revenue": float(spent[month])} if has_spent else {}
                at = JANUARY.replace(year=1997 + month // 12, month=month % 12 + 1, day=1 + customer % 28)
                events.append(StoryEvent(f"{number}-{customer}", "purchase", at, properties=revenue))
    return events


def test_the_first_customers_of_cdnow_come_back_as_published() -> None:
    bought = Step.of("purchase")
    question = RetentionQuestion(
        start=bought,
        returning=bought,
        interval="month",
        periods=12,
        mode="first_time",
        value=RetentionValue("revenue"),
        period=Period(end=datetime(1997, 2, 1, tzinfo=UTC)),
        extend_over_end=True,
    )

    rows = ask(KIND, question, world(purchases()), Calendar()).rows

    counts = [7846, 1157, 964, 810, 679, 736, 720, 582, 559, 594, 673, 634, 528]
    assert [row.retained_count for row in rows] == counts
    assert [row.value for row in rows[:4]] == pytest.approx([299060.17, 61041.69, 50683.75, 40655.50])
