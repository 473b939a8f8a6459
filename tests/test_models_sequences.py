"""The sequence functions: stories with known results, and random streams judged by trying every chain."""

from random import Random
from typing import Any

import pytest

from models.asking import ask, ask_people
from models.breakdown import Breakdown
from models.calendar import Calendar
from models.errors import QuestionError
from models.filters import PropertyFilter
from models.matching import Step
from models.paths import KIND as PATHS
from models.paths import PathsNumber, PathsQuestion
from models.questions import Question, QuestionKind
from models.sequences import (
    KINDS,
    SEQUENCE_COUNT,
    SEQUENCE_MATCH,
    SEQUENCE_NEXT_NODE,
    SEQUENCE_RETENTION,
    WINDOW_FUNNEL,
    SequenceCountQuestion,
    SequenceMatchQuestion,
    SequenceNextNodeNumber,
    SequenceNextNodeQuestion,
    SequenceNextNodeRow,
    SequenceRetentionQuestion,
    SequenceRetentionRow,
    WindowFunnelNumber,
    WindowFunnelQuestion,
    WindowFunnelRow,
)
from models.sequences.questions import WindowFunnelMode
from models.sessionizing import SessionCut
from tests.examples import FACTOR
from tests.sequence_streams import EVENTS, by_person, draw_conditions, draw_stream, met_by, results_of
from tests.sequences_oracle import next_node, sequence_count, window_funnel
from tests.worlds import StoryEvent, World, at, person_id, world

SALES = (Step.of("visit"), Step.of("trial"), Step.of("pay"))
UTC_DAYS = Calendar()


def rows_of(kind: QuestionKind[Any], question: Question, snapshot: World) -> tuple[Any, ...]:
    return ask(kind, question, snapshot, UTC_DAYS, "missing").rows


@pytest.fixture
def schools() -> World:
    """Ann goes all the way in an hour; Bob comes back to the start; Cid only chats; Dan pays a day too late."""
    return world(
        [
            StoryEvent("ann", "visit", at(0), properties={"region": "north"}),
            StoryEvent("ann", "trial", at(60), properties={"region": "north"}),
            StoryEvent("ann", "pay", at(3600), properties={"region": "north"}),
            StoryEvent("bob", "visit", at(0), properties={"region": "north"}),
            StoryEvent("bob", "trial", at(60), properties={"region": "north"}),
            StoryEvent("bob", "visit", at(120), properties={"region": "north"}),
            StoryEvent("bob", "pay", at(180), properties={"region": "north"}),
            StoryEvent("cid", "chat", at(0), properties={"region": "south"}),
            StoryEvent("dan", "visit", at(0), properties={"region": "south"}),
            StoryEvent("dan", "trial", at(60), properties={"region": "south"}),
            StoryEvent("dan", "pay", at(90_000), properties={"region": "south"}),
        ]
    )


def test_a_level_counts_those_who_came_exactly_so_far(schools: World) -> None:
    question = WindowFunnelQuestion(conditions=SALES, window_s=86_400)

    assert rows_of(WINDOW_FUNNEL, question, schools) == (
        WindowFunnelRow([], 0, 1),  # type: ignore[arg-type]  # as it comes
        WindowFunnelRow([], 1, 0),  # type: ignore[arg-type]
        WindowFunnelRow([], 2, 1),  # type: ignore[arg-type]
        WindowFunnelRow([], 3, 2),  # type: ignore[arg-type]
    )
    people = ask_people(WINDOW_FUNNEL, question, WindowFunnelNumber(2), schools, UTC_DAYS)
    assert people.subjects == (str(person_id("dan")),)


def test_in_strict_order_coming_back_to_the_start_ends_it_unless_reentry_is_allowed(schools: World) -> None:
    def level_of_bob(*modes: WindowFunnelMode) -> int:
        question = WindowFunnelQuestion(conditions=SALES, window_s=86_400, modes=modes)
        return int(results_of(WINDOW_FUNNEL, question, schools, "level")[str(person_id("bob"))])

    assert level_of_bob("strict_order") == 2
    assert level_of_bob("strict_order", "allow_reentry") == 3


def test_a_breakdown_computes_each_group_apart(schools: World) -> None:
    question = SequenceRetentionQuestion(conditions=SALES[:2], breakdown=Breakdown.of("region"))
    rows = rows_of(SEQUENCE_RETENTION, question, schools)

    assert [(tuple(row.breakdown), row.condition, row.subject_count) for row in rows] == [
        (("north",), 1, 2),
        (("north",), 2, 2),
        (("south",), 1, 1),
        (("south",), 2, 1),
    ]


def test_a_condition_nobody_met_is_listed_at_zero(schools: World) -> None:
    rows = rows_of(SEQUENCE_RETENTION, SequenceRetentionQuestion(conditions=(*SALES[:1], Step.of("refer"))), schools)

    assert rows[1] == SequenceRetentionRow([], 2, 0)  # type: ignore[arg-type]  # as it comes


def test_patterns_pass_over_events_that_meet_no_condition() -> None:
    snapshot = world(
        [StoryEvent("ann", event, at(second)) for second, event in enumerate(["visit", "chat", "pay"] * 2)]
    )
    conditions = (Step.of("visit"), Step.of("pay"))

    def count(pattern: str) -> int:
        question = SequenceCountQuestion(conditions=conditions, pattern=pattern)
        return int(results_of(SEQUENCE_COUNT, question, snapshot, "match_count")[str(person_id("ann"))])

    assert count("(?1)(?2)") == 2
    assert count("(?1).*(?2)") == 2
    assert count("(?1)(?t<=1)(?2)") == 0
    assert count("(?1)(?t>=3)(?2)") == 1


def test_what_comes_next_is_named_and_so_are_the_people(schools: World) -> None:
    question = SequenceNextNodeQuestion(conditions=SALES[:2], base="first_match")

    assert rows_of(SEQUENCE_NEXT_NODE, question, schools) == (
        SequenceNextNodeRow([], False, None, 1),  # type: ignore[arg-type]  # as it comes
        SequenceNextNodeRow([], True, "pay", 2),  # type: ignore[arg-type]
        SequenceNextNodeRow([], True, "visit", 1),  # type: ignore[arg-type]
    )
    people = ask_people(SEQUENCE_NEXT_NODE, question, SequenceNextNodeNumber("visit"), schools, UTC_DAYS)
    assert people.subjects == (str(person_id("bob")),)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: WindowFunnelQuestion(conditions=(), window_s=1), "Give 1 to 32 conditions, not 0"),
        (lambda: WindowFunnelQuestion(conditions=SALES, window_s=0), "window_s is 0: give seconds above 0"),
        (
            lambda: WindowFunnelQuestion(conditions=SALES, window_s=1, modes=("allow_reentry",)),
            "changes what 'strict_order'",
        ),
        (lambda: WindowFunnelQuestion(conditions=SALES, window_s=1, modes=("strict",)), "mode cannot be 'strict'"),  # type: ignore[arg-type]  # on purpose
        (lambda: SequenceMatchQuestion(conditions=SALES, pattern="(?4)"), r"means none of the 3 conditions"),
        (lambda: SequenceMatchQuestion(conditions=SALES, pattern="(?1)x"), r"cannot be read from 'x' on"),
        (lambda: SequenceMatchQuestion(conditions=SALES, pattern=".*"), r"needs 1 to 64 events"),
        (lambda: SequenceMatchQuestion(conditions=SALES, pattern="(?t<=5)(?1)"), r"the time between two events"),
        (
            lambda: SequenceMatchQuestion(conditions=SALES, pattern="(?1)(?t>1)(?t<5)(?2)"),
            r"the time between two events",
        ),
        (lambda: SequenceCountQuestion(conditions=SALES, pattern="(?1)(?t<=5)"), r"ends with a time"),
        (lambda: SequenceNextNodeQuestion(conditions=SALES, base="tail"), "Nothing lies forward of the tail"),
    ],
)
def test_a_wrong_question_says_how_to_ask_it(make: object, complaint: str) -> None:
    assert callable(make)
    with pytest.raises(QuestionError, match=complaint):
        make()


MODES: list[tuple[WindowFunnelMode, ...]] = [
    (),
    ("strict_increase",),
    ("strict_once",),
    ("strict_deduplication",),
    ("strict_deduplication", "level_reached"),
    ("strict_order",),
    ("strict_order", "allow_reentry"),
    ("strict_order", "allow_early"),
    ("strict_order", "allow_reentry", "allow_early", "strict_once"),
    ("strict_increase", "latest_only"),
    ("strict_order", "strict_increase"),
    ("strict_order", "strict_deduplication"),
    ("strict_deduplication", "strict_increase"),
]
PATTERNS = [
    "(?1)",
    "(?1)(?2)",
    "(?1).*(?2)",
    "(?1).(?2)",
    "(?1)(?t<=3)(?2)",
    "(?2)(?t>=2)(?1)(?1)",
    ".*(?1).*(?2)(?1).*",
]
PATTERNS += ["(?1)(?t==0)(?2)", "(?1)(?t>1)(?2)(?t<4)(?1)"]
ENDS = [("forward", "head"), ("backward", "tail")]
ENDS += [(direction, base) for direction in ("forward", "backward") for base in ("first_match", "last_match")]
ROUNDS = 3 * FACTOR


@pytest.mark.parametrize("modes", MODES)
def test_the_level_is_that_of_the_longest_chain(modes: tuple[WindowFunnelMode, ...]) -> None:
    random = Random(f"levels {modes}")
    for _ in range(ROUNDS):
        stream, conditions = draw_stream(random, 150, most_events=9), draw_conditions(random)
        question = WindowFunnelQuestion(conditions=conditions, window_s=random.choice([1, 3, 10, 30]), modes=modes)
        expected = {person: window_funnel(question, done) for person, done in stream.in_time_order()}

        assert results_of(WINDOW_FUNNEL, question, stream.world(), "level") == by_person(expected), question


@pytest.mark.parametrize("pattern", PATTERNS)
def test_matches_are_counted_one_after_the_other(pattern: str) -> None:
    random = Random(pattern)
    for _ in range(ROUNDS):
        stream = draw_stream(random, 150)
        conditions = draw_conditions(random, most=1) + draw_conditions(random, most=1)
        counted, matched = (
            each(conditions=conditions, pattern=pattern) for each in (SequenceCountQuestion, SequenceMatchQuestion)
        )
        expected = {person: sequence_count(counted, done) for person, done in stream.in_time_order()}
        snapshot = stream.world()

        assert results_of(SEQUENCE_COUNT, counted, snapshot, "match_count") == by_person(expected), counted
        found = {person: count > 0 for person, count in expected.items()}
        assert results_of(SEQUENCE_MATCH, matched, snapshot, "is_matched") == by_person(found), matched


@pytest.mark.parametrize(("direction", "base"), ENDS)
def test_the_next_node_follows_the_chain(direction: Any, base: Any) -> None:
    random = Random(f"{direction} {base}")
    for _ in range(ROUNDS):
        stream, conditions = draw_stream(random, 150), draw_conditions(random, most=2)
        base_where = (PropertyFilter("event_name", "neq", random.choice(EVENTS), of="field"),)
        question = SequenceNextNodeQuestion(
            conditions=conditions, direction=direction, base=base, base_where=base_where
        )
        expected = {person: next_node(question, done) for person, done in stream.in_time_order()}

        assert results_of(SEQUENCE_NEXT_NODE, question, stream.world(), "next_node") == by_person(expected), question


def test_retention_asks_for_the_first_condition_and_each_other() -> None:
    random = Random("retention")
    for _ in range(ROUNDS):
        stream, conditions = draw_stream(random, 150), draw_conditions(random)
        met = [{number for _, event in done for number in met_by(event, conditions)} for done in stream.events.values()]
        rows = rows_of(SEQUENCE_RETENTION, SequenceRetentionQuestion(conditions=conditions), stream.world())

        assert [row.subject_count for row in rows] == [
            sum({1, number} <= each for each in met) for number in range(1, len(conditions) + 1)
        ]


def test_the_people_are_as_many_as_every_number() -> None:
    stream = draw_stream(Random("people"), 60)
    snapshot = stream.world()
    questions: dict[str, Any] = {
        "window-funnel": WindowFunnelQuestion(conditions=SALES, window_s=10, breakdown=Breakdown.of("region")),
        "sequence-retention": SequenceRetentionQuestion(conditions=SALES),
        "sequence-match": SequenceMatchQuestion(conditions=SALES, pattern="(?1).*(?2)"),
        "sequence-count": SequenceCountQuestion(conditions=SALES, pattern="(?1)(?2)"),
        "sequence-next-node": SequenceNextNodeQuestion(conditions=SALES[:1], base="first_match"),
    }
    for kind in KINDS:
        for row in rows_of(kind, questions[kind.name], snapshot):
            named = {each: getattr(row, each) for each in kind.number.__dataclass_fields__}
            of = kind.number(**{**named, "breakdown": tuple(row.breakdown)})
            people = ask_people(kind, questions[kind.name], of, snapshot, UTC_DAYS, absent="missing")
            assert people.count == row.subject_count, (kind.name, of)


def test_who_reaches_the_second_level_has_a_path_between_the_two() -> None:
    # One path per person, all events on it, no window and no ties: the two questions are one.
    stream = draw_stream(Random("agreement"), 100, has_ties=False)
    snapshot = stream.world()
    funnel = WindowFunnelQuestion(conditions=(Step.of("visit"), Step.of("pay")), window_s=1_000_000)
    between = PathsQuestion(start="visit", end="pay", session=SessionCut(gap_s=None))

    reached = ask_people(WINDOW_FUNNEL, funnel, WindowFunnelNumber(2), snapshot, UTC_DAYS)
    walked = ask_people(PATHS, between, PathsNumber("node", 1, "visit"), snapshot, UTC_DAYS)
    assert reached.subjects == walked.subjects
    assert reached.count > 10
