"""Wrong funnels are answered by one sentence that says how to ask them right."""

from dataclasses import replace
from typing import Any

import pytest

from models.asking import ask
from models.breakdown import Breakdown
from models.calendar import Period
from models.errors import QuestionError, UnknownPropertyError
from models.filters import PropertyFilter, PropertyOf
from models.funnel import (
    FUNNEL,
    Exclusion,
    FunnelQuestion,
    FunnelStep,
    FunnelTrendQuestion,
    TimeToConvertQuestion,
)
from models.matching import EventMatch
from tests.funnel_stories import REACH_PAY, REACH_TRIAL_PAY, UTC_CALENDAR, story
from tests.worlds import at, world


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"steps": ()}, "1 to 30 steps, not 0"),
        ({"conversion_window_s": 0}, "conversion_window_s is 0: give seconds, more than 0"),
        ({"order": "loose"}, "choose one of 'ordered', 'strict', 'unordered'"),
        (
            {"steps": (replace(FunnelStep.of("reach"), optional=True), FunnelStep.of("pay"))},
            "first step cannot be optional",
        ),
        (
            {"steps": (FunnelStep.of("a"), replace(FunnelStep.of("b"), optional=True)), "order": "unordered"},
            "need an order",
        ),
        ({"exclusions": (Exclusion.of("x", from_step=2, to_step=2),)}, "from_step 2 must come before 2"),
        ({"exclusions": (Exclusion.of("x", to_step=4),)}, "to_step of an exclusion is 4: .* steps are 1 to 3"),
        ({"exclusions": (Exclusion.of("x", to_step=2),), "order": "unordered"}, "covers the whole attempt"),
        ({"attribution": "last_touch"}, "name one in breakdown"),
        ({"breakdown": Breakdown.of("plan"), "attribution": "step"}, "give both or none"),
        (
            {"breakdown": Breakdown.of("plan"), "attribution": "step", "attribution_step": 9},
            "attribution_step is 9: this funnel's steps are 1 to 3",
        ),
        (
            {"steps": (FunnelStep((EventMatch("pay"),), held=PropertyOf("order")), FunnelStep.of("trial"))},
            "name it in hold_constant or in `held` of every step",
        ),
    ],
)
def test_a_wrong_funnel_gets_a_sentence(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(QuestionError, match=complaint):
        FunnelQuestion(**{"steps": REACH_TRIAL_PAY} | wrong)


def test_wrong_measures_get_a_sentence() -> None:
    with pytest.raises(QuestionError, match="to_step is 3: this funnel's steps are 1 to 2"):
        FunnelTrendQuestion(REACH_PAY, to_step=3)
    with pytest.raises(QuestionError, match="from_step 2 must come before 2"):
        TimeToConvertQuestion(REACH_PAY, from_step=2)
    with pytest.raises(QuestionError, match="from_step 2 must come before 1"):
        FunnelTrendQuestion(REACH_PAY, from_step=2, to_step=1)
    with pytest.raises(QuestionError, match="bins is 61: ask for 1 to 60"):
        TimeToConvertQuestion(REACH_PAY, bins=61)


def test_what_can_only_be_refused_when_asked_is_refused_in_a_sentence() -> None:
    snapshot = world(story("ann", ("reach", 0), ("pay", 1), channel="fair"))
    shared = tuple(FunnelStep.of("reach", PropertyFilter("channel", "eq", f"c{number}")) for number in range(6))

    with pytest.raises(QuestionError, match="at most 5 different steps may share events, and 6 do \\(reach\\)"):
        ask(FUNNEL, FunnelQuestion(shared, order="unordered"), snapshot, UTC_CALENDAR)
    with pytest.raises(QuestionError, match="start before it ends"):
        ask(FUNNEL, FunnelQuestion(REACH_PAY, period=Period(at(1), at(1))), snapshot, UTC_CALENDAR)
    with pytest.raises(UnknownPropertyError, match="'chanel': did you mean 'channel'"):
        ask(FUNNEL, FunnelQuestion(REACH_PAY, breakdown=Breakdown.of("chanel")), snapshot, UTC_CALENDAR)
    with pytest.raises(QuestionError, match="No event is named 'reached': did you mean 'reach'"):
        ask(FUNNEL, FunnelQuestion((FunnelStep.of("reached"),)), snapshot, UTC_CALENDAR)
