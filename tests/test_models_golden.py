"""Published figures: cohorts of the CDNOW purchases, and funnels of a shop's clicks as ClickHouse counts them."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.asking import ask
from models.calendar import Calendar, Period
from models.funnel import FUNNEL, FunnelQuestion, FunnelStep
from models.matching import Step
from models.retention import KIND, RetentionQuestion, RetentionValue
from models.sequences import WINDOW_FUNNEL, WindowFunnelQuestion
from tests.worlds import PropertyValue, StoryEvent, World, world

CDNOW = Path(__file__).parent / "golden/cdnow_1997_01.txt"
ECOM = Path(__file__).parent / "golden/ecom.txt.gz"
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


ECOM_STEPS = ("catalog", "product_view", "add_to_cart", "cart", "shipping_details", "payment_details", "purchase")
HOUR_S, WEEK_S = 3600.0, 7 * 86_400.0


@pytest.fixture(scope="module")
def shop() -> World:
    """The clicks of an online shop: 31,106 events of 600 users."""
    header, letters, *users = gzip.decompress(ECOM.read_bytes()).decode().splitlines()
    names = dict(each.split("=") for each in letters.split(". ", 1)[1].split())
    events = []
    for number, line in enumerate(users):
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        for click in line.split():
            moment += timedelta(seconds=int(click[1:]))
            events.append(StoryEvent(f"user {number}", names[click[0]], moment))
    assert header.startswith("# The clicks")
    assert (len(events), len(users), len(names)) == (31_106, 600, 19)
    return world(events)


@pytest.mark.parametrize(
    ("window_s", "modes", "reached"),
    [
        (HOUR_S, (), [600, 591, 383, 214, 93, 27, 4]),
        (HOUR_S, ("strict_order", "allow_reentry"), [600, 225, 20, 7, 2, 0, 0]),
        (HOUR_S, ("strict_increase", "latest_only"), [600, 591, 383, 214, 93, 27, 4]),
        (WEEK_S, (), [600, 591, 410, 267, 145, 66, 24]),
        (WEEK_S, ("strict_order", "allow_reentry"), [600, 226, 22, 7, 2, 0, 0]),
        (WEEK_S, ("strict_increase", "latest_only"), [600, 591, 409, 266, 144, 65, 24]),
    ],
)
def test_the_funnel_of_the_shop_is_that_of_clickhouse(
    window_s: float, modes: tuple[Any, ...], reached: list[int], shop: World
) -> None:
    conditions = tuple(map(Step.of, ECOM_STEPS))
    question = WindowFunnelQuestion(conditions=conditions, window_s=window_s, modes=modes)

    levels = {row.level: row.subject_count for row in ask(WINDOW_FUNNEL, question, shop, Calendar()).rows}

    assert [sum(count for level, count in levels.items() if level >= step) for step in range(1, 8)] == reached


@pytest.mark.parametrize(
    ("window_s", "reached"),
    [(HOUR_S, [600, 591, 383, 214, 93, 27, 4]), (WEEK_S, [600, 591, 410, 267, 145, 66, 24])],
)
def test_the_ordered_funnel_of_the_shop_counts_the_same(window_s: float, reached: list[int], shop: World) -> None:
    question = FunnelQuestion(tuple(FunnelStep.of(name) for name in ECOM_STEPS), conversion_window_s=window_s)

    assert [row.subject_count for row in ask(FUNNEL, question, shop, Calendar()).rows] == reached
