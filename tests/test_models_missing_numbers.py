"""The people of a number that is not in the answer: told which there are. Of one that counts nobody: nobody."""

from datetime import datetime
from typing import Any

import pytest

from models.asking import People, ask_people
from models.breakdown import Breakdown
from models.calendar import Calendar, Period
from models.errors import QuestionError
from models.funnel import FunnelNumber, FunnelQuestion, FunnelStep
from models.kinds import kind_of
from models.lifecycle import LifecycleNumber, LifecycleQuestion
from models.matching import EventMatch
from models.paths import PathsNumber, PathsQuestion
from models.questions import Question
from models.trend import Comparison, Formula, Series, TrendNumber, TrendQuestion
from tests.worlds import StoryEvent, World, at, world

DAY_S = 86_400
FUNNEL = FunnelQuestion((FunnelStep.of("trial"), FunnelStep.of("pay")), breakdown=Breakdown.of("channel"))
TREND = TrendQuestion(
    series=(Series((EventMatch("trial"),)), Series((EventMatch("pay"),))),
    formulas=(Formula("B / A", "paying"),),
)
LIFECYCLE = LifecycleQuestion(interval="week")


@pytest.fixture(scope="module")
def school() -> World:
    """Ann tries by an ad on Monday and pays on Wednesday; Bob tries at a fair on Monday."""
    return world(
        [
            StoryEvent("ann", "trial", at(0), properties={"channel": "ads"}),
            StoryEvent("bob", "trial", at(60), properties={"channel": "fair"}),
            StoryEvent("ann", "pay", at(2 * DAY_S), properties={"channel": "ads"}),
        ]
    )


def people_of(school: World, question: Question, of: Any) -> People:
    return ask_people(kind_of(question), question, of, school, Calendar())


def day(number: int) -> datetime:
    return datetime(2024, 1, number)  # noqa: DTZ001  # a local time, as in rows


@pytest.mark.parametrize(
    ("question", "of", "sentence"),
    [
        (FUNNEL, FunnelNumber(3), "There is no number with step_index 3: there are 1 to 2."),
        (FUNNEL, FunnelNumber(2, breakdown=("radio",)), 'breakdown ["radio"]: there are ["ads"], ["fair"].'),
        (FUNNEL, FunnelNumber(2, breakdown="other"), 'breakdown "other": there are ["ads"], ["fair"].'),
        (LIFECYCLE, LifecycleNumber(interval_start=day(3), status="new"), "the nearest is 2024-01-01T00:00:00."),
        (TREND, TrendNumber(4), "series_index 4: there are 1 to 3."),
        (
            TREND,
            TrendNumber(3),
            "is the formula 'paying', and a formula counts nobody itself: ask for the people of a ",
        ),
        (PathsQuestion(), PathsNumber(source="tial"), 'source "tial": did you mean "trial"?'),
        (
            PathsQuestion(),
            PathsNumber(part="drop_off", source="trial", target="pay"),
            'There is no number with target "pay": there are none.',
        ),
    ],
)
def test_a_number_that_is_not_in_the_answer_is_refused(
    school: World, question: Question, of: Any, sentence: str
) -> None:
    with pytest.raises(QuestionError) as refused:
        people_of(school, question, of)

    assert sentence in str(refused.value)


def test_a_number_in_an_empty_answer_is_refused(school: World) -> None:
    with pytest.raises(QuestionError, match='There is no number with source "trial": the answer has no rows'):
        people_of(school, PathsQuestion(period=Period(day(10), day(11))), PathsNumber(source="trial"))


@pytest.mark.parametrize(
    ("question", "of"),
    [
        (FUNNEL, FunnelNumber(2, breakdown=("fair",))),
        (LIFECYCLE, LifecycleNumber(interval_start=day(1), status="dormant")),
        (TREND, TrendNumber(2, interval_start=day(2))),
    ],
)
def test_a_number_that_counts_nobody_has_an_empty_list(school: World, question: Question, of: Any) -> None:
    assert people_of(school, question, of).count == 0


def test_a_compared_number_is_found_by_the_earlier_interval(school: World) -> None:
    later = Period(day(3), day(4))
    compared = TrendQuestion(series=TREND.series, period=later, comparison=Comparison("day", 2))

    assert people_of(school, compared, TrendNumber(1, interval_start=day(1), is_compared=True)).count == 2
    assert people_of(school, compared, TrendNumber(2, interval_start=day(1), is_compared=True)).count == 0
    with pytest.raises(QuestionError, match="compared_start 2024-01-02T00:00:00: the nearest is 2024-01-01T00:00:00"):
        people_of(school, compared, TrendNumber(1, interval_start=day(2), is_compared=True))
