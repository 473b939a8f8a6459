"""Funnels in groups: whose value counts, which groups are kept, and what a group finds of its own."""

from dataclasses import replace
from typing import Any

import pytest

from models.asking import ask_people
from models.breakdown import Breakdown
from models.filters import PropertyFilter
from models.funnel import (
    FUNNEL,
    Exclusion,
    FunnelNumber,
    FunnelQuestion,
    FunnelStep,
)
from models.matching import EventMatch
from tests.funnel_stories import REACH_PAY, UTC_CALENDAR, counts_by_group, story
from tests.worlds import StoryEvent, at, world

CHANNELS = [
    # Ann's first matching event has no channel; the browse event matches no step and does not speak.
    StoryEvent("ann", "browse", at(0), properties={"channel": "ads"}),
    StoryEvent("ann", "reach", at(1), properties={"channel": ""}),
    StoryEvent("ann", "pay", at(2), properties={"channel": "fair"}),
    StoryEvent("bob", "reach", at(0), properties={"channel": "fair"}),
    StoryEvent("bob", "pay", at(1), properties={"channel": "ads"}),
    StoryEvent("cid", "reach", at(0)),
    # Dan never enters, so no group exists for him alone.
    StoryEvent("dan", "pay", at(0), properties={"channel": "radio"}),
]


@pytest.mark.parametrize(
    ("attribution", "step", "expected"),
    [
        ("first_touch", None, {"fair": [2, 2], "": [1, 0]}),
        ("last_touch", None, {"ads": [1, 1], "fair": [1, 1], "": [1, 0]}),
        ("all_events", None, {"": [2, 0], "fair": [1, 0]}),
        ("step", 1, {"": [2, 1], "fair": [1, 1]}),
        ("step", 2, {"ads": [1, 1], "fair": [1, 1]}),
    ],
)
def test_a_breakdown_asks_whose_value_counts(
    attribution: Any, step: int | None, expected: dict[str, list[int]]
) -> None:
    split = Breakdown.of("Channel")
    question = FunnelQuestion(REACH_PAY, breakdown=split, attribution=attribution, attribution_step=step)

    assert counts_by_group(question, world(CHANNELS)) == expected


def test_a_limit_pools_the_smaller_groups_and_counts_nobody_twice() -> None:
    channels = ["fair", "fair", "fair", "ads", "ads", "mail", "radio"]
    events = [
        StoryEvent(f"person {n}", "reach", at(n), properties={"channel": name}) for n, name in enumerate(channels)
    ]
    # One who came by mail hears the radio too.
    events.append(StoryEvent("person 5", "reach", at(9), properties={"channel": "radio"}))
    question = FunnelQuestion((FunnelStep.of("reach"),), breakdown=Breakdown.of("channel", limit=2))
    everywhere = replace(question, attribution="all_events")

    assert counts_by_group(question, world(events)) == {"fair": [3], "ads": [2], None: [2]}
    assert counts_by_group(everywhere, world(events)) == {"fair": [3], "ads": [2], None: [2]}
    rest = FunnelNumber(1, breakdown="other")
    assert ask_people(FUNNEL, everywhere, rest, world(events), UTC_CALENDAR).count == 2


def test_an_exclusion_is_found_in_every_group_of_two_properties() -> None:
    """Everybody visits and pays; who has an odd number complains in between, in the same region and grade."""
    people = range(40)
    events = [event for n in people for event in story(f"person {n}", ("reach", n), ("pay", 900 + n), **placed(n))]
    events += [event for n in people[1::2] for event in story(f"person {n}", ("complain", 300 + n), **placed(n))]
    without = FunnelQuestion(
        REACH_PAY,
        exclusions=(Exclusion((EventMatch("complain"),)),),
        breakdown=Breakdown.of("region", "grade"),
        attribution="all_events",
    )

    groups = {f"{n % 5}/{n % 2}" for n in people if n % 2 == 0}
    assert counts_by_group(without, world(events)) == {group: [4, 4] for group in groups}


def placed(number: int) -> dict[str, str]:
    """Region and grade of a numbered person: five regions, a grade for even numbers and one for odd."""
    return {"region": str(number % 5), "grade": str(number % 2)}


def test_names_and_values_cannot_leave_their_literals() -> None:
    nasty = "'; drop table events; --"
    snapshot = world([StoryEvent("ann", nasty, at(0), properties={'we"ird': nasty})])
    step = FunnelStep.of(nasty, PropertyFilter('we"ird', "eq", nasty), name=nasty)

    assert counts_by_group(FunnelQuestion((step,), breakdown=Breakdown.of('we"ird')), snapshot) == {nasty: [1]}
