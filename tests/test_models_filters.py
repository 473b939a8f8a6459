"""Filters on events, persons and accounts, nested: each judged by the plain reading of it."""

from collections.abc import Callable
from datetime import timedelta
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask
from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar, Period
from models.errors import QuestionError
from models.filters import CAN_NEED_VALUE, Filter, FilterGroup, PropertyFilter, PropertyOf
from models.funnel import Exclusion, FunnelQuestion, FunnelStep
from models.matching import ANY_EVENT
from models.paths import NodeLabel, PathsQuestion
from models.questions import Question, Scope, SeenEvents
from models.sql import render
from models.trend import KIND as TREND
from models.trend import Series, TrendQuestion
from tests.examples import examples
from tests.filter_oracle import passes
from tests.worlds import Carried, StoryEvent, World, at, person_id, world
from warehouse.reader import EventProperty

CARRIED = Carried(
    persons={"ann": {"city": "Wuhan", "grade": 3}, "bob": {"city": "", "vip": True}, "cid": {"grade": "3"}},
    accounts={
        "school-1": {"plan": "Full", "since": "2023-12-31T10:00:00+08:00"},
        "school-2": {"plan": "trial", "taught": ["math", "art"]},
    },
)
EVENTS = [
    StoryEvent("ann", "pay", at(0), "school-1", {"amount": 95.0, "channel": "ads", "due": "2024-01-02"}),
    StoryEvent("bob", "pay", at(60), "school-2", {"amount": 9.5, "channel": "", "tags": ["math", "art"]}),
    StoryEvent("cid", "visit", at(120), None, {"channel": "Ads2", "paying": True, "due": "soon"}),
    StoryEvent("dan", "visit", at(180), "school-1", {"paying": False, "due": "2023-12-31T23:00:00Z"}),
]

PROPERTIES = st.sampled_from(
    [
        PropertyOf("amount"),
        PropertyOf("channel"),
        PropertyOf("paying"),
        PropertyOf("tags"),
        PropertyOf("due"),
        PropertyOf("city", of="person"),
        PropertyOf("grade", of="person"),
        PropertyOf("vip", of="person"),
        PropertyOf("plan", of="account"),
        PropertyOf("since", of="account"),
        PropertyOf("taught", of="account"),
        PropertyOf("event_name", of="field"),
        PropertyOf("distinct_id", of="field"),
    ]
)
OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(["eq", "neq"]), st.sampled_from(["ads", "", 95, True, ("ads", "Wuhan"), ("3", "math")])),
    st.tuples(st.sampled_from(["contains", "not_contains"]), st.sampled_from(["ad", "U", "t", "5"])),
    st.tuples(st.sampled_from(["matches", "not_matches"]), st.sampled_from(["^a", "[0-9]+", "u.*n$"])),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from([3, 9.5, "2024-01-01T00:00:00Z"])),
    st.tuples(st.just("between"), st.sampled_from([(3, 10), ("2023-12-31", "2024-01-02")])),
    st.tuples(st.sampled_from(["is_true", "is_false", "is_set", "is_not_set", "is_empty", "is_not_empty"]), st.none()),
)


@st.composite
def conditions(draw: st.DrawFn) -> PropertyFilter:
    wanted, (op, value) = draw(PROPERTIES), draw(OPERATIONS)
    needs_value = op in CAN_NEED_VALUE and draw(st.booleans())
    return PropertyFilter(wanted.property, op, value, needs_value, of=wanted.of)


def group(members: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    lists = st.lists(members, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        lists.map(lambda some: FilterGroup(all_of=some)),
        lists.map(lambda some: FilterGroup(any_of=some)),
        lists.map(lambda some: FilterGroup(none_of=some)),
    )


def who_passes(condition: Filter, snapshot: World) -> set[str]:
    """Under which ids the events were sent that pass the filter."""
    seen = SeenEvents(
        Question(where=(condition,), by="distinct_id"), Scope(properties=tuple(snapshot.event_properties()))
    )
    rows = seen.rows({})
    return set(snapshot.query(render(seen.ctes, rows))["subject_id"].to_pylist())


@pytest.fixture(scope="module")
def snapshot() -> World:
    return world(EVENTS, carried=CARRIED)


@examples(200)
@given(condition=st.recursive(conditions(), group, max_leaves=4))
def test_every_filter_keeps_what_its_plain_reading_keeps(condition: Filter, snapshot: World) -> None:
    expected = {event.person for event in EVENTS if passes(condition, event, CARRIED)}

    assert who_passes(condition, snapshot) == expected


def test_an_age_is_measured_at_the_moment_of_the_event(snapshot: World) -> None:
    # Dan's was due an hour and three minutes before his event; Ann's is still ahead of hers.
    late = PropertyFilter("due", "within_last", timedelta(hours=2).total_seconds(), age_at="event")
    very_late = PropertyFilter("due", "older_than", timedelta(hours=1, minutes=3).total_seconds(), age_at="event")

    assert who_passes(late, snapshot) == {"dan"}
    assert who_passes(very_late, snapshot) == set()
    assert who_passes(PropertyFilter("due", "older_than", 60, age_at="now"), snapshot) == {"ann", "dan"}


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: PropertyFilter("amount", "between", 3), "takes two values"),
        (lambda: PropertyFilter("amount", "gte", "soon"), "compares numbers or ISO 8601 times: 'soon' is neither"),
        (lambda: PropertyFilter("amount", "older_than", "a day"), "an age in seconds"),
        (lambda: PropertyFilter("amount", "eq", 10**400), "needs finite numbers"),
        (lambda: BreakdownProperty("amount", buckets=(nan,)), "growing boundaries, each a finite number"),
        (lambda: BreakdownProperty("amount", buckets=(1, inf)), "growing boundaries, each a finite number"),
        (lambda: BreakdownProperty("amount", buckets=(2**53, 2**53 + 1)), "growing boundaries"),
        (lambda: FilterGroup(), "one of all_of, any_of and none_of"),
        (lambda: FilterGroup(all_of=(), any_of=()), "one of all_of, any_of and none_of"),
        (lambda: PropertyOf("colour", of="field"), "choose one of 'event_name'"),
        (lambda: PropertyOf("amount", as_of="event"), "of the event has one"),
        (lambda: Question(by="property"), "name the property in by_property"),
        (lambda: Question(by_property="order"), "needs 'property' or 'person_property'"),
        (lambda: Question(timezone="Mars/Olympus"), "no time zone"),
    ],
)
def test_a_wrong_filter_says_how_to_write_it(make: object, complaint: str) -> None:
    assert callable(make)
    with pytest.raises(QuestionError, match=complaint):
        make()


@pytest.mark.parametrize("name", ["amount", "*", 'the "real" price', "a/b", "~0", "\\", "$.amount", "[0]", "it's"])
def test_values_that_did_not_fit_the_column_are_found_whatever_its_name(name: str) -> None:
    story = [
        StoryEvent("ann", "pay", at(1), misfits={name: "free"}),
        StoryEvent("bob", "pay", at(2), properties={name: 7}),
    ]
    paid = world(story, [EventProperty(name, "number", (name,))])

    def who(value: str) -> set[str]:
        question = Question(where=(PropertyFilter(name, "eq", value),))
        seen = SeenEvents(question, Scope(Calendar(), tuple(paid.event_properties())))
        rows = seen.rows({})
        return {str(each) for each in paid.query(render(seen.ctes, rows))["subject_id"].to_pylist()}

    assert (who("free"), who("7")) == ({str(person_id("ann"))}, {str(person_id("bob"))})


def test_of_a_list_an_item_is_asked_for_wherever_the_list_is() -> None:
    # A teacher's subjects came as a list, then as one word; another property as a word, then as a list in capitals.
    story = [
        StoryEvent("ann", "teach", at(1), None, {"subjects": ["math", "art"], "room": "lab"}),
        StoryEvent("bob", "teach", at(2), misfits={"subjects": "math", "Room": ["lab", "hall"]}),
        StoryEvent("cid", "teach", at(3), misfits={"SUBJECTS": [3, 7.0]}),
        StoryEvent("dan", "teach", at(4)),
    ]
    properties = [EventProperty("subjects", "list", ("SUBJECTS", "subjects")), EventProperty("room", "text", ("Room",))]
    taught = world(
        story, properties, Carried(persons={"dan": {"subjects": ["math", "3"]}, "cid": {"subjects": "math"}})
    )

    def who(name: str, value: Any, op: Any = "eq", of: Any = "event") -> set[str]:
        return who_passes(PropertyFilter(name, op, value, of=of), taught)

    assert who("subjects", "math") == {"ann", "bob"} == who("subjects", "math", "contains")
    assert who("subjects", "math", "neq") == {"cid", "dan"}
    assert who("subjects", 7) == {"cid"} == who("subjects", "3, 7", "contains")
    assert who("room", "lab") == {"ann", "bob"}
    assert who("room", "lab, hall", "contains") == {"bob"}
    assert who("subjects", "math", of="person") == {"cid", "dan"}
    assert who("subjects", ("art", "3"), of="person") == {"dan"}


def test_a_number_equals_itself_however_it_was_written() -> None:
    # Ann's order has a number where the others' have text; Eve carries it herself, Dan in a list.
    order = 10_000_000_000_000_000
    story = [
        StoryEvent("ann", "pay", at(1), misfits={"order": 1e16}),
        StoryEvent("bob", "pay", at(2), None, {"number": 1e16, "order": "A1"}),
        StoryEvent("cid", "pay", at(3), None, {"number": 95.0}),
        StoryEvent("dan", "pay", at(4), None, {"orders": ["A1", "10000000000000000"]}),
        StoryEvent("eve", "pay", at(5)),
    ]
    properties = [
        EventProperty("number", "number"),
        EventProperty("order", "text", ("order",)),
        EventProperty("orders", "list"),
    ]
    paid = world(story, properties, Carried(persons={"eve": {"order": order}}))

    for written in (order, 1e16, "1e16", "10000000000000000"):
        assert who_passes(PropertyFilter("number", "eq", written), paid) == {"bob"}
        assert who_passes(PropertyFilter("number", "eq", ("A1", written)), paid) == {"bob"}
        assert who_passes(PropertyFilter("number", "neq", written), paid) == {"ann", "cid", "dan", "eve"}
    for number in (order, 1e16):
        assert who_passes(PropertyFilter("order", "eq", number), paid) == {"ann"}
        assert who_passes(PropertyFilter("orders", "eq", number), paid) == {"dan"}
        assert who_passes(PropertyFilter("order", "eq", number, of="person"), paid) == {"eve"}


def test_words_that_computers_read_as_numbers_are_none() -> None:
    # Nan is a grandmother's name in some houses, and Infinity the name of a school.
    names = ("nan", "NaN", "inf", "-Infinity", "1e999", "7")
    story = [StoryEvent(f"child-{name}", "visit", at(1), None, {"nick": name}) for name in names]
    visits = world(story)

    assert who_passes(PropertyFilter("nick", "gt", 3), visits) == {"child-7"}
    assert who_passes(PropertyFilter("nick", "lte", 3), visits) == set()
    assert who_passes(PropertyFilter("nick", "eq", "nan"), visits) == {"child-nan"}

    measures = tuple(
        Series((ANY_EVENT,), measure=measure, property=PropertyOf("nick")) for measure in ("sum", "median", "max")
    )
    total = ask(TREND, TrendQuestion(series=measures), visits, Calendar())
    assert [row.value for row in total.rows] == [7, 7, 7]


def nested(depth: int) -> Filter:
    condition: Filter = PropertyFilter("amount", "is_set")
    for _ in range(depth):
        condition = FilterGroup(none_of=(condition,))
    return condition


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Question(where=(PropertyFilter("amount", "is_set"),) * 201), "where has 201 entries: .* 200"),
        (
            lambda: Question(where=(FilterGroup(all_of=(PropertyFilter("amount", "is_set"),) * 67),) * 3),
            "201 filters in all: give at most 200",
        ),
        (lambda: nested(21), "more than 20 groups deep"),
        (lambda: FunnelQuestion(steps=(FunnelStep((ANY_EVENT,) * 101),)), "any_of has 101 entries: give at most 100"),
        (
            lambda: FunnelQuestion(steps=(FunnelStep.of("a"), *(FunnelStep((ANY_EVENT,), optional=True),) * 11)),
            "at most 10 optional steps, not 11",
        ),
        (
            lambda: FunnelQuestion(
                steps=(FunnelStep.of("a"), FunnelStep.of("b")), exclusions=(Exclusion.of("c"),) * 31
            ),
            "exclusions has 31 entries: give at most 30",
        ),
        (
            lambda: PathsQuestion(labels=(NodeLabel.of(*["page"] * 21),)),
            "parts has 21 entries: give at most 20",
        ),
        (lambda: PathsQuestion(groupings=("/a*",) * 101), "groupings has 101 entries: give at most 100"),
    ],
)
def test_what_goes_beyond_a_limit_is_refused_by_its_name(make: Callable[[], object], complaint: str) -> None:
    assert nested(20)
    with pytest.raises(QuestionError, match=complaint):
        make()


def test_every_bucket_has_a_label_of_its_own() -> None:
    story = [StoryEvent("ann", "pay", at(1), None, {"fen": float(fen)}) for fen in (5, 1000000, 1000001, 1000002)]
    fen = BreakdownProperty("fen", buckets=(0.5, 1000000, 1000001, 1000002, 1e16))
    question = TrendQuestion(series=(Series((ANY_EVENT,)),), breakdown=Breakdown((fen,)), interval=None)

    found = {tuple(row.breakdown): row.value for row in ask(TREND, question, world(story), Calendar()).rows}

    assert found == {
        ("[0.5, 1000000)",): 1,
        ("[1000000, 1000001)",): 1,
        ("[1000001, 1000002)",): 1,
        ("[1000002, 1e+16)",): 1,
    }


def test_only_the_period_exists(snapshot: World) -> None:
    seen = SeenEvents(Question(period=Period(at(60), at(180)), by="distinct_id"), Scope(Calendar()))

    assert snapshot.query(render(seen.ctes, seen.rows({}))).num_rows == 2
