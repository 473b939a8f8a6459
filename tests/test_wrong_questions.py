"""A wrong question is answered by one plain sentence: what was wrong, and what would be right."""

from typing import Any

import pytest

from api.json_texts import read_json
from api.routes.question_types import read_people_request, read_question, types_of
from models.asking import ask, ask_frame
from models.calendar import Calendar
from models.errors import QuestionError, UnknownPropertyError
from models.kinds import kind_named
from tests.worlds import StoryEvent, at, world

TRIAL = {"any_of": [{"event": "TrialStarted"}]}
OPERATORS = (
    "choose one of eq, neq, contains, not_contains, matches, not_matches, gt, gte, lt, lte, between, within_last"
)


def filtered(**condition: Any) -> dict[str, Any]:
    return {"where": [{"property": "channel", **condition}]}


@pytest.mark.parametrize(
    ("kind", "question", "sentence"),
    [
        ("retention", [], "the question is []: write an object in braces"),
        ("funnel", {}, "steps is missing"),
        ("funnel", {"steps": "TrialStarted"}, 'steps is "TrialStarted": write a list in brackets'),
        ("funnel", {"steps": [{}] * 5}, "steps.2.any_of is missing; 2 more like these"),
        (
            "funnel",
            {"steps": ["TrialStarted"]},
            'steps.0 is "TrialStarted": write an object in braces, with any_of, name, optional, occurrence, held',
        ),
        (
            "funnel",
            {"steps": [{"any_of": [{"name": "a"}]}]},
            "steps.0.any_of.0.event is missing; "
            "there is no field 'name' in steps.0.any_of.0: choose one of event, where",
        ),
        ("funnel", {"steps": [TRIAL], "window": 60}, "no field 'window': did you mean 'conversion_window_s'?"),
        (
            "funnel",
            {"steps": [TRIAL], "conversion_window_s": "30d"},
            'conversion_window_s is "30d": write a number of seconds',
        ),
        ("retention", {"interval": "weekly"}, "interval cannot be \"weekly\": did you mean 'week'?"),
        (
            "retention",
            {"interval": None},
            "interval cannot be null: choose one of hour, day, week, month, quarter, year",
        ),
        ("retention", {"periods": 7.5}, "periods is 7.5: write a whole number"),
        ("retention", {"timezone": ""}, "There is no time zone ''"),
        ("retention", {"timezone": "posix/Asia/Shanghai"}, "There is no time zone 'posix/Asia/Shanghai'"),
        ("retention", {"timezone": "localtime"}, "There is no time zone 'localtime'"),
        ("retention", {"rolling": "perhaps"}, 'rolling is "perhaps": write true or false'),
        (
            "retention",
            {"period": {"start": "last week"}},
            'period.start is "last week": write a date or time, such as 2026-06-01 or 2026-06-01T09:00',
        ),
        ("retention", {"period": {"from": "2026-06-01"}}, "no field 'from' in period: choose one of start, end"),
        ("retention", {"period": "2026-06"}, 'period is "2026-06": write an object in braces, with start, end'),
        (
            "retention",
            filtered(op="contain", value="ads"),
            "where.0.op cannot be \"contain\": did you mean 'contains' or 'not_contains'?",
        ),
        ("retention", filtered(op="=", value="ads"), f'where.0.op cannot be "=": {OPERATORS}'),
        (
            "retention",
            filtered(value={"a": 1}),
            'where.0.value is {"a": 1}: write a text, true or false, a number or a list in brackets',
        ),
        (
            "retention",
            {"where": [{"all_of": [{"propety": "channel", "value": "ads"}]}]},
            "there is no field 'propety' in where.0.all_of.0: did you mean 'property'?",
        ),
        ("retention", {"breakdown": {"by": ["channel"]}}, 'breakdown.by.0 is "channel": write an object in braces'),
        (
            "trend",
            {"series": [TRIAL | {"measure": "avg"}]},
            "series.0.measure cannot be \"avg\": did you mean 'average'?",
        ),
        ("retention", {"Interval": "day"}, "there is no field 'Interval': did you mean 'interval'?"),
        ("retention", {"int": 1, "x[0]": 1}, "there is no field 'int'"),
        (
            "retention",
            {"where": [{"Property": "channel", "value": "ads"}]},
            "where.0.property is missing; there is no field 'Property' in where.0: did you mean 'property'?",
        ),
        ("retention", {"where": [{"FilterGroup": 1}]}, "there is no field 'FilterGroup' in where.0: choose one of"),
        ("funnel", {"steps": [{"Any_of": []}]}, "no field 'Any_of' in steps.0: did you mean 'any_of'?"),
        ("paths", {"labels": [{"parts": "url"}]}, 'labels.0.parts is "url": write a list in brackets'),
    ],
)
def test_a_wrong_question_is_told_what_would_be_right(kind: str, question: Any, sentence: str) -> None:
    with pytest.raises(QuestionError) as refused:
        read_question(types_of(kind_named(kind)), question)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("request_body", "sentence"),
    [
        ({"of": {"stage_index": 1}}, "the question is missing"),
        ({"question": {}, "of": 2}, "the number is 2: write an object in braces, with stage_index, counted"),
        (
            {"question": {}, "of": {"stage_indx": 2}},
            "there is no field 'stage_indx': did you mean 'stage_index'?",
        ),
        ({"question": {}, "of": {"Stage_index": 2}}, "there is no field 'Stage_index': did you mean 'stage_index'?"),
        ({"question": {}, "of": {"stage_index": "two"}}, 'stage_index of the number is "two": write a whole number'),
        ({"question": {"by": "persn"}, "of": {}}, "by cannot be \"persn\": did you mean 'person'?"),
        ({"question": {}, "of": {}, "limt": 5}, "there is no field 'limt': did you mean 'limit'?"),
    ],
)
def test_a_wrong_number_is_told_what_would_be_right(request_body: Any, sentence: str) -> None:
    with pytest.raises(QuestionError) as refused:
        read_people_request(types_of(kind_named("sales-path")), request_body)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("[" * 100_000, "brackets within brackets more than 50 deep"),
        ('{"where":' * 51 + "1" + "}" * 51, "brackets within brackets more than 50 deep"),
        ('{"periods": 1e999}', "1e999 is no finite number"),
        ('{"periods": NaN}', "NaN is no finite number"),
        ('{"min_occurrences": 1' + "0" * 30 + "}", "is more than 9223372036854775807"),
        (r'{"\ud800": 1}', r"'\ud800' is one half of a character"),
    ],
)
def test_a_body_beyond_what_is_read_is_refused_in_words(body: str, sentence: str) -> None:
    with pytest.raises(QuestionError) as refused:
        read_json(body)

    assert sentence in str(refused.value)


def test_a_long_name_is_told_by_its_beginning() -> None:
    error = UnknownPropertyError("x" * 200_000, ["channel"])

    assert str(error).startswith("No event has a property 'xxx")
    assert str(error).endswith("...x': see the names with: onepath catalog.")
    assert len(str(error)) < 200


@pytest.mark.parametrize("pattern", ["(", "(?=ads)", r"(a)\1", "(a{1000}){1000}"])
def test_what_is_no_regular_expression_is_refused_by_its_property(pattern: str) -> None:
    retention = kind_named("retention")
    question = read_question(types_of(retention), filtered(op="matches", value=pattern))
    paid = world([StoryEvent("mei", "pay", at(0), properties={"channel": "ads"})])

    with pytest.raises(QuestionError, match="'matches' on 'channel' takes a regular expression of RE2"):
        ask(retention, question, paid, Calendar())


def test_an_answer_that_nobody_could_look_at_is_refused_before_it_fills_the_memory() -> None:
    """Twelve orders, minute by minute for six days: 103,680 rows; by the hour they are 1,728."""
    orders = world([StoryEvent("mei", "pay", at(0), properties={"order": str(number)}) for number in range(12)])
    six_days = {
        "series": [{"any_of": [{"event": "pay"}]}],
        "breakdown": {"by": [{"property": "order"}]},
        "period": {"start": "2024-01-01", "end": "2024-01-07"},
    }
    trend = kind_named("trend")
    by_minute, by_hour = (read_question(types_of(trend), {**six_days, "interval": each}) for each in ("minute", "hour"))

    with pytest.raises(QuestionError, match="more than 100,000 rows: give the breakdown a limit, or ask a longer"):
        ask(trend, by_minute, orders, Calendar())
    assert len(ask(trend, by_hour, orders, Calendar()).rows) == 12 * 6 * 24
    assert ask_frame(trend, by_minute, orders, Calendar()).height == 12 * 6 * 24 * 60


def test_an_emoji_and_a_long_id_are_read() -> None:
    assert read_json(r'{"a": "\ud83d\ude00", "b": 9223372036854775807}') == {
        "a": "\U0001f600",
        "b": 9223372036854775807,
    }


def test_an_unknown_kind_is_told_the_kinds() -> None:
    with pytest.raises(QuestionError, match=r"There is no question 'funel': did you mean 'funnel'\?"):
        kind_named("funel")
    with pytest.raises(QuestionError, match="there are trend, retention, "):
        kind_named("xyz")
