"""Paths: stories with known edges, and random streams judged by following each path by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar, Period
from models.errors import QuestionError
from models.filters import PropertyFilter, PropertyOf
from models.matching import EventMatch
from models.paths import KIND, NodeLabel, PathsNumber, PathsQuestion, PathsRow
from models.sessionizing import SessionCut
from tests.examples import examples
from tests.paths_oracle import path_rows
from tests.worlds import StoryEvent, World, at, person_id, world

UTC_DAYS = Calendar()
VISIT_PAGES = NodeLabel.of("url", event="visit")


def rows_of(question: PathsQuestion, snapshot: World, calendar: Calendar = UTC_DAYS) -> list[PathsRow]:
    """The rows, their groups as tuples."""
    rows = ask(KIND, question, snapshot, calendar, "missing").rows
    return [replace(row, breakdown=None if row.breakdown is None else tuple(row.breakdown)) for row in rows]


def edges_of(question: PathsQuestion, snapshot: World) -> dict[tuple[int, str | None, str | None], int]:
    """How many paths have each edge."""
    edges = [row for row in rows_of(question, snapshot) if row.part == "edge"]
    return {(edge.step_index, edge.source, edge.target): edge.path_count for edge in edges}


def page(person: str, seconds: float, url: str) -> StoryEvent:
    return StoryEvent(person, "visit", at(seconds), properties={"url": url})


@pytest.fixture
def school() -> World:
    """Ann reads about the course and signs; Bob stops at the price, and comes back the next day to sign."""
    return world(
        [
            page("ann", 0, "/course/math/"),
            page("ann", 60, "/course/math/"),
            page("ann", 90, "/price"),
            StoryEvent("ann", "sign", at(210)),
            page("bob", 0, "/course/art"),
            page("bob", 30, "/price"),
            page("bob", 86_400, "/price"),
            StoryEvent("bob", "sign", at(86_460)),
        ]
    )


def test_a_page_seen_twice_in_a_row_is_one_node_and_a_new_day_a_new_path(school: World) -> None:
    question = PathsQuestion(labels=(VISIT_PAGES,), groupings=("/course/*",))

    counts = {(row.part, row.step_index, row.source, row.target): row.path_count for row in rows_of(question, school)}
    assert counts == {
        ("node", 1, "/course/*", None): 2,
        ("node", 1, "/price", None): 1,
        ("edge", 1, "/course/*", "/price"): 2,
        ("edge", 1, "/price", "sign"): 1,
        ("node", 2, "/price", None): 2,
        ("node", 2, "sign", None): 1,
        ("drop_off", 2, "/price", None): 1,
        ("drop_off", 2, "sign", None): 1,
        ("edge", 2, "/price", "sign"): 1,
        ("node", 3, "sign", None): 1,
        ("drop_off", 3, "sign", None): 1,
    }


def test_the_time_along_an_edge_runs_from_the_first_of_equal_neighbours(school: World) -> None:
    edge = next(
        row
        for row in rows_of(PathsQuestion(labels=(VISIT_PAGES,)), school)
        if row.source == "/course/math" and row.target
    )

    assert (edge.target, edge.average_s) == ("/price", 90)


def test_between_two_ends_a_long_path_keeps_both_halves() -> None:
    snapshot = world([page("ann", 60 * number, f"/{number}") for number in range(8)])
    question = PathsQuestion(labels=(VISIT_PAGES,), start="/1/", end="/6", step_limit=4)

    assert edges_of(question, snapshot) == {
        (1, "/1", "/2"): 1,
        (2, "/2", "..."): 1,
        (3, "...", "/5"): 1,
        (4, "/5", "/6"): 1,
    }


def test_paths_to_an_end_keep_their_last_steps(school: World) -> None:
    question = PathsQuestion(labels=(VISIT_PAGES,), end="sign", step_limit=2)

    assert edges_of(question, school) == {(1, "/price", "sign"): 2}


def test_the_largest_edges_keep_their_names_and_the_others_are_the_rest_of_their_step(school: World) -> None:
    question = PathsQuestion(labels=(VISIT_PAGES,), edge_limit=1, count="subjects", session=SessionCut(gap_s=None))
    rows = [row for row in rows_of(question, school) if row.part in ("edge", "rest")]

    assert [(row.part, row.step_index, row.source, row.target, row.path_count) for row in rows] == [
        ("rest", 1, None, None, 2),
        ("edge", 2, "/price", "sign", 2),
    ]


def test_the_people_behind_an_edge_are_named(school: World) -> None:
    question = PathsQuestion(labels=(VISIT_PAGES,))
    on_edge = ask_people(KIND, question, PathsNumber("edge", 1, "/price", "sign"), school, UTC_DAYS)
    dropped = ask_people(KIND, question, PathsNumber("drop_off", source="/price"), school, UTC_DAYS)

    assert on_edge.subjects == dropped.subjects == (str(person_id("bob")),)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: PathsQuestion(step_limit=1), "step_limit is 1: a path is shown with 2 to 100 nodes"),
        (lambda: PathsQuestion(edge_limit=0), "keep at least 1 edge"),
        (lambda: PathsQuestion(start=""), "start is empty"),
        (lambda: PathsQuestion(end="pay", exclude=("pay",)), "among those in exclude"),
        (lambda: PathsQuestion(groupings=("*",)), "some text beside"),
        (lambda: PathsQuestion(count="events"), "choose one of 'paths', 'subjects'"),  # type: ignore[arg-type]  # on purpose
        (lambda: SessionCut(gap_s=0), "gap_s is 0"),
        (lambda: NodeLabel(()), "at least one part"),
    ],
)
def test_a_wrong_question_says_how_to_ask_it(make: object, complaint: str) -> None:
    assert callable(make)
    with pytest.raises(QuestionError, match=complaint):
        make()


URLS = st.sampled_from(["/", "/a", "/a/", "/b_1/x", "/b%1/", "a*"])
PEOPLE = st.sampled_from(["ann", "bob", "cid"])


@st.composite
def story(draw: st.DrawFn) -> list[StoryEvent]:
    """People who click within minutes, over the night in which clocks change; late events arrive in any order."""
    before_change = timedelta(days=90 - 1 / 24)  # 2024-03-30 23:00 UTC
    events = []
    for _ in range(draw(st.integers(1, 14))):
        seconds = draw(st.integers(0, 30)) * 600 + draw(st.sampled_from([0, 0, 0.5]))
        properties = {"url": draw(URLS)} if draw(st.booleans()) else {}
        name = draw(st.sampled_from(["visit", "visit", "pay", "end/"]))
        events.append(StoryEvent(draw(PEOPLE), name, at(seconds) + before_change, properties=dict(properties)))
    return events


CUTS = st.builds(
    SessionCut,
    gap_s=st.sampled_from([None, 600, 1800, 1800.5]),
    exact_gap=st.sampled_from(["cuts", "holds"]),
    start_events=st.sampled_from([(), (EventMatch("pay"),)]),
    end_events=st.sampled_from([(), (EventMatch("end/"), EventMatch("pay"))]),
    split_by_day=st.booleans(),
)
BREAKDOWNS = st.sampled_from(
    [None, Breakdown.of("url"), Breakdown((BreakdownProperty("event_name", of="field"),), limit=1)]
)
PERIODS = st.sampled_from([Period(), Period(at(90 * 86_400 - 1800), at(90 * 86_400 + 9000))])
ENDS = st.sampled_from([None, None, "/a/", "pay", "visit", "/b*x"])


@st.composite
def questions(draw: st.DrawFn) -> PathsQuestion:
    any_of = draw(st.sampled_from([(), (EventMatch("visit"), EventMatch("pay"))]))
    labels = draw(
        st.sampled_from(
            [
                (),
                (VISIT_PAGES,),
                (NodeLabel((PropertyOf("event_name", of="field"), PropertyOf("url")), separator=" "),),
            ]
        )
    )
    groupings = draw(st.sampled_from([(), ("/b*x",), ("_1", "a*")]))
    # Where nodes are called by their events, an end that is none of them is refused.
    ends = ENDS if labels or groupings or not any_of else st.sampled_from([None, "visit", "pay"])
    return PathsQuestion(
        period=draw(PERIODS),
        where=draw(st.sampled_from([(), (PropertyFilter("url", "neq", "/a"),)])),
        timezone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai"])),
        any_of=any_of,
        labels=labels,
        without_trailing_slash=draw(st.booleans()),
        groupings=groupings,
        exclude=draw(st.sampled_from([(), ("/",)])),
        start=draw(ends),
        end=draw(ends),
        session=draw(CUTS),
        step_limit=draw(st.integers(2, 6)),
        edge_limit=draw(st.sampled_from([None, 1, 2])),
        count=draw(st.sampled_from(["paths", "subjects"])),
        breakdown=draw(BREAKDOWNS),
    )


def ordered(rows: Sequence[PathsRow]) -> list[PathsRow]:
    """In a fixed order, times to a microsecond."""
    rounded = [replace(row, average_s=None if row.average_s is None else round(row.average_s, 6)) for row in rows]
    return sorted(rounded, key=repr)


@examples(80)
@given(events=story(), question=questions())
def test_paths_are_those_followed_by_hand(events: list[StoryEvent], question: PathsQuestion) -> None:
    snapshot = world(events)
    rows = rows_of(question, snapshot)

    assert ordered(rows) == ordered(path_rows(question, events, UTC_DAYS))


@examples(12)
@given(events=story(), question=questions())
def test_the_people_are_as_many_as_every_number(events: list[StoryEvent], question: PathsQuestion) -> None:
    snapshot = world(events)
    for row in rows_of(question, snapshot):
        group: Any = "other" if row.breakdown is None else row.breakdown
        of = PathsNumber(row.part, row.step_index, row.source, row.target, group)
        assert ask_people(KIND, question, of, snapshot, UTC_DAYS, absent="missing").count == row.subject_count
