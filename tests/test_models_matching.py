"""What filters mean on each type of property, and that questions and answers travel as JSON."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from models.asking import ask
from models.breakdown import Breakdown
from models.calendar import Calendar, Period
from models.errors import QuestionError, UnknownPropertyError
from models.filters import Operator, PropertyFilter, Scalar
from models.funnel import FUNNEL, FunnelQuestion, FunnelStep
from models.matching import EventMatch
from tests.filter_oracle import passes
from tests.worlds import StoryEvent, at, world

# One person per shape of property; "none" carries no property at all.
SHAPES = [
    StoryEvent("none", "e", at(0)),
    StoryEvent("zero", "e", at(0), properties={"amount": 0.0, "plan": "", "paying": False}),
    StoryEvent("whole", "e", at(0), properties={"amount": 95.0, "plan": "Full", "paying": True}),
    StoryEvent("part", "e", at(0), properties={"amount": 95.5, "plan": "95", "tags": ["math", "art"]}),
    StoryEvent("text", "e", at(0), properties={"plan": "full time", "tags": ["Math class"]}),
]
FILTERS: list[tuple[str, Operator, Any, set[str]]] = [
    ("amount", "eq", 95, {"whole"}),
    ("amount", "eq", "95", {"whole"}),
    ("amount", "eq", ("95.5", 0), {"part", "zero"}),
    ("amount", "neq", 95, {"none", "zero", "part", "text"}),
    ("AMOUNT", "gt", 95, {"part"}),
    ("amount", "gte", "95", {"whole", "part"}),
    ("amount", "lt", 95, {"zero"}),
    ("amount", "lte", 95.0, {"zero", "whole"}),
    ("amount", "contains", 5, {"whole", "part"}),
    ("plan", "eq", "full", set()),
    ("plan", "eq", 95, {"part"}),
    ("plan", "gt", 90, {"part"}),
    ("plan", "contains", "FULL", {"whole", "text"}),
    ("plan", "not_contains", "full", {"none", "zero", "part"}),
    ("plan", "is_set", None, {"zero", "whole", "part", "text"}),
    ("plan", "is_not_set", None, {"none"}),
    ("paying", "eq", True, {"whole"}),
    ("paying", "eq", "false", {"zero"}),
    ("paying", "neq", True, {"none", "zero", "part", "text"}),
    ("tags", "eq", "math", {"part"}),
    ("tags", "neq", "math", {"none", "zero", "whole", "text"}),
    ("tags", "contains", "math", {"part", "text"}),
]


@pytest.mark.parametrize(("name", "op", "value", "expected"), FILTERS)
def test_a_filter_keeps_the_events_it_means(
    name: str, op: Operator, value: Scalar | tuple[Scalar, ...] | None, expected: set[str]
) -> None:
    condition = PropertyFilter(name, op, value)
    # A property with each person's name, so that a breakdown tells who passed.
    events = [StoryEvent(e.person, e.event, e.at, properties=e.properties | {"who": e.person}) for e in SHAPES]
    question = FunnelQuestion((FunnelStep.of("e", condition),), breakdown=Breakdown.of("who"))

    answer = ask(FUNNEL, question, world(events), Calendar())

    assert {row.breakdown[0] for row in answer.rows} == expected
    assert {event.person for event in SHAPES if passes(condition, event)} == expected


def test_a_step_is_taken_by_any_of_its_events() -> None:
    snapshot = world([StoryEvent("ann", "call", at(0)), StoryEvent("bob", "visit", at(0))])
    step = FunnelStep((EventMatch("call"), EventMatch("visit")))

    [row] = ask(FUNNEL, FunnelQuestion((step,)), snapshot, Calendar()).rows

    assert (row.step_name, row.subject_count) == ("call or visit", 2)


def test_an_unknown_property_is_named_with_those_close_to_it() -> None:
    question = FunnelQuestion((FunnelStep.of("e", PropertyFilter("ammount", "gt", 1)),))

    with pytest.raises(UnknownPropertyError) as caught:
        ask(FUNNEL, question, world(SHAPES), Calendar())

    assert (caught.value.name, caught.value.close_names) == ("ammount", ("amount",))


@pytest.mark.parametrize(
    ("op", "value", "complaint"),
    [
        ("eq", None, "needs a value"),
        ("eq", (), "needs a value"),
        ("is_set", "x", "takes no value"),
        ("contains", ("a", "b"), "takes one value"),
        ("gt", "many", "compares numbers"),
        ("lt", True, "compares numbers"),
        ("eq", float("nan"), "finite numbers"),
        ("like", "x", "choose one of 'eq', 'neq'"),
    ],
)
def test_a_filter_says_what_is_wrong_with_it(op: Any, value: Any, complaint: str) -> None:
    with pytest.raises(QuestionError, match=complaint):
        PropertyFilter("amount", op, value)


def test_a_time_zone_must_exist() -> None:
    with pytest.raises(QuestionError, match="no time zone 'Mars/Olympus'"):
        Calendar("Mars/Olympus")


def test_questions_are_read_from_json_and_keep_their_types() -> None:
    text = """{
        "steps": [
            {"any_of": [{"event": "met", "where": [{"property": "paying", "op": "eq", "value": [true, 95, "x"]}]}]},
            {"any_of": [{"event": null}], "name": "anything"}
        ],
        "conversion_window_s": 60,
        "period": {"start": "2024-01-01T00:00:00Z"}
    }"""

    question = TypeAdapter(FunnelQuestion).validate_json(text)

    assert question == FunnelQuestion(
        steps=(
            FunnelStep.of("met", PropertyFilter("paying", "eq", (True, 95, "x"))),
            FunnelStep.of(None, name="anything"),
        ),
        conversion_window_s=60,
        period=Period(start=datetime(2024, 1, 1, tzinfo=UTC)),
    )
    [condition] = question.steps[0].any_of[0].where
    assert isinstance(condition, PropertyFilter)
    assert condition.value == (True, 95, "x")  # not all the same to a computer that reads JSON


def test_a_wrong_question_in_json_is_a_validation_error_with_our_words() -> None:
    with pytest.raises(ValidationError, match="1 to 30 steps, not 0"):
        TypeAdapter(FunnelQuestion).validate_json('{"steps": []}')
