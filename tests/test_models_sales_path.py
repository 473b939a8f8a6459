"""The sales path: first entries, furthest stages and skips; known stories, the oracle, and the funnel as a witness."""

from datetime import timedelta
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import Answer, ask, ask_people
from models.calendar import Calendar, Period
from models.errors import QuestionError
from models.filters import PropertyFilter
from models.funnel import FUNNEL, FunnelQuestion, FunnelStep
from models.matching import Stage
from models.questions import Scope
from models.sales_path import KIND, SalesPathNumber, SalesPathQuestion, SalesPathRow, build_stage_entries_sql
from models.sales_path.question import CountedSubjects
from tests.examples import examples
from tests.oracles import sales_path_oracle
from tests.worlds import StoryEvent, World, at, person_id, world
from warehouse.reader import EventProperty

UTC_CALENDAR = Calendar()
TEN_YEARS_S = 10 * 365 * 24 * 60 * 60
REACH_SIGN_PROJECT_PAY = (
    Stage.of("reach", "met"),
    Stage.of("sign", "contract signed"),
    Stage.of("project", "project set up"),
    Stage.of("pay", "paid", PropertyFilter("amount", "gt", 0)),
)

# Public procurement: the project often comes before the signature.
PROCUREMENT = [
    # School A walks in order, a different person each time.
    StoryEvent("teacher", "met", at(0), account="A"),
    StoryEvent("principal", "contract signed", at(100), account="A"),
    StoryEvent("clerk", "project set up", at(150), account="A"),
    StoryEvent("clerk", "paid", at(400), account="A", properties={"amount": 5000.0}),
    # School B sets the project up before signing, and meets us again later: the first meeting counts.
    StoryEvent("head", "met", at(0), account="B"),
    StoryEvent("head", "project set up", at(10), account="B"),
    StoryEvent("head", "contract signed", at(60), account="B"),
    StoryEvent("head", "met", at(90), account="B"),
    # School C pays without a project and without our ever meeting it; its first payment of nothing is none.
    StoryEvent("boss", "paid", at(0), account="C", properties={"amount": 0.0}),
    StoryEvent("boss", "contract signed", at(20), account="C"),
    StoryEvent("boss", "paid", at(30), account="C", properties={"amount": 10.0}),
    # A parent without a school is on no account's path.
    StoryEvent("parent", "met", at(0)),
]


def walked(question: SalesPathQuestion, snapshot: World) -> Answer:
    return ask(KIND, question, snapshot, UTC_CALENDAR, "missing")


def test_accounts_are_counted_by_entry_furthest_stage_skip_and_order() -> None:
    question = SalesPathQuestion(REACH_SIGN_PROJECT_PAY, by="account")

    answer = walked(question, world(PROCUREMENT))

    assert answer.rows[0].reached == 3
    assert answer.rows == (
        #                       entered, reached, furthest, skipped, out of order
        SalesPathRow(1, "reach", 2, 3, 0, 1, 0, 1.0, None, None),
        SalesPathRow(2, "sign", 3, 3, 0, 0, 0, 1.0, 1.0, 80.0),  # A after 100 s, B after 60 s
        SalesPathRow(3, "project", 2, 3, 1, 1, 1, 1.0, 1.0, 50.0),  # only A's came after its signature
        SalesPathRow(4, "pay", 2, 2, 2, 0, 0, 2 / 3, 2 / 3, 250.0),
    )


def test_persons_walk_their_own_path() -> None:
    answer = walked(SalesPathQuestion(REACH_SIGN_PROJECT_PAY), world(PROCUREMENT))

    assert answer.rows[0].reached == 6
    assert [stage.entered for stage in answer.rows] == [3, 3, 2, 2]


def test_entries_after_the_window_do_not_count_and_its_last_instant_does() -> None:
    stages = (Stage.of("reach", "met"), Stage.of("pay", "paid"))
    snapshot = world(
        [
            StoryEvent("ann", "met", at(0)),
            StoryEvent("ann", "paid", at(60)),
            StoryEvent("bob", "met", at(0)),
            StoryEvent("bob", "paid", at(60) + timedelta(microseconds=1)),
        ]
    )

    answer = walked(SalesPathQuestion(stages, conversion_window_s=60), snapshot)

    assert [stage.reached for stage in answer.rows] == [2, 1]


def test_nobody_on_the_path_makes_zeros() -> None:
    answer = walked(SalesPathQuestion((Stage.of("reach", "met"),)), world([]))

    assert answer.rows[0].reached == 0
    assert answer.rows == (SalesPathRow(1, "reach", 0, 0, 0, 0, 0, None, None, None),)


def test_stage_entries_list_who_entered_what_and_when() -> None:
    snapshot = world(
        [
            StoryEvent("ann", "paid", at(5)),
            StoryEvent("ann", "met", at(9)),
            StoryEvent("ann", "met", at(7)),
            StoryEvent("bob", "other", at(1)),
        ]
    )
    question = SalesPathQuestion((Stage.of("reach", "met"), Stage.of("pay", "paid")))

    sql = build_stage_entries_sql(question, Scope())

    assert [tuple(row.values()) for row in snapshot.query(sql).to_pylist()] == [
        (str(person_id("ann")), 1, "reach", at(7).replace(tzinfo=None)),
        (str(person_id("ann")), 2, "pay", at(5).replace(tzinfo=None)),
    ]


def test_the_printed_sql_gives_the_answers_numbers() -> None:
    snapshot = world(PROCUREMENT)
    question = SalesPathQuestion(REACH_SIGN_PROJECT_PAY, by="account", conversion_window_s=200)

    answer = walked(question, snapshot)

    [statement] = answer.sql
    assert tuple(SalesPathRow(**row) for row in snapshot.query(statement.sql).to_pylist()) == answer.rows


def test_a_question_says_what_is_wrong_with_it() -> None:
    stage = Stage.of("reach", "met")
    with pytest.raises(QuestionError, match="1 to 30 stages"):
        SalesPathQuestion(tuple(Stage.of(f"stage {number}", "met") for number in range(31)))
    with pytest.raises(QuestionError, match="at least one stage"):
        walked(SalesPathQuestion(), world(PROCUREMENT))
    with pytest.raises(QuestionError, match="No event is named 'mett': did you mean 'met'"):
        ask(KIND, SalesPathQuestion((Stage.of("reach", "mett"),)), world(PROCUREMENT), UTC_CALENDAR)
    with pytest.raises(QuestionError, match="share a name"):
        SalesPathQuestion((stage, stage))
    with pytest.raises(QuestionError, match="more than 0"):
        SalesPathQuestion((stage,), conversion_window_s=-1)
    with pytest.raises(QuestionError, match="needs a name"):
        Stage.of("", "met")


EVENTS = st.lists(
    st.builds(
        StoryEvent,
        person=st.sampled_from(["ann", "bob", "cid", "dan"]),
        event=st.sampled_from("abcd"),
        at=st.integers(0, 20).map(at),
        account=st.sampled_from(["school", "club", None]),
        properties=st.fixed_dictionaries({}, optional={"amount": st.sampled_from([0.0, 10.0])}),
    ),
    max_size=25,
)
STAGES = st.lists(
    st.sampled_from(
        [
            Stage.of("A", "a"),
            Stage.of("B", "b"),
            Stage.of("C", "c", PropertyFilter("amount", "gt", 5)),
            Stage.of("free", None, PropertyFilter("amount", "is_not_set")),
        ]
    ),
    min_size=1,
    max_size=4,
    unique=True,
).map(tuple)


@examples(30)
@given(
    events=EVENTS,
    stages=STAGES,
    conversion_window_s=st.sampled_from([None, 4, 10]),
    period=st.sampled_from([Period(), Period(at(3), at(18))]),
    by=st.sampled_from(["person", "account"]),
)
def test_random_stories_agree_with_the_oracle(
    events: list[StoryEvent], stages: tuple[Stage, ...], conversion_window_s: float | None, period: Period, by: Any
) -> None:
    question = SalesPathQuestion(stages=stages, period=period, conversion_window_s=conversion_window_s, by=by)

    snapshot = world(events, [EventProperty("amount", "number")])

    rows = walked(question, snapshot).rows

    assert rows == sales_path_oracle(question, UTC_CALENDAR, events)
    for row, counted in product(rows, get_args(CountedSubjects)):
        of = SalesPathNumber(row.stage_index, counted)
        assert ask_people(KIND, question, of, snapshot, UTC_CALENDAR, absent="missing").count == getattr(row, counted)


# How far each of some persons walks, and the seconds between their steps; a gap of 0 is a tie.
ORDERLY_WALKS = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), min_size=1, max_size=12)


@examples(30)
@given(walks=ORDERLY_WALKS)
def test_orderly_walks_reach_what_the_ordered_funnel_counts(walks: list[list[int]]) -> None:
    names = "abcd"
    events = [
        StoryEvent(f"person {number}", names[position], at(sum(gaps[: position + 1])))
        for number, gaps in enumerate(walks)
        for position in range(len(gaps))
    ]
    snapshot = world(events)
    path = SalesPathQuestion(tuple(Stage.of(name, name) for name in names))
    funnel = FunnelQuestion(tuple(FunnelStep.of(name) for name in names), conversion_window_s=TEN_YEARS_S)

    stages = walked(path, snapshot).rows
    steps = ask(FUNNEL, funnel, snapshot, UTC_CALENDAR, "missing").rows

    assert [stage.reached for stage in stages] == [step.subject_count for step in steps]
    assert [stage.entered for stage in stages] == [stage.reached for stage in stages]
