"""The sequence functions beside ClickHouse's own, in process: the same result for every person of random streams.

`make test-peers` runs them; a seed is printed, ONEPATH_PEERS_SEED repeats it.
"""

import json
import os
import time
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from models.filters import PropertyFilter
from models.matching import Step
from models.sequences import (
    SEQUENCE_COUNT,
    SEQUENCE_MATCH,
    SEQUENCE_NEXT_NODE,
    SEQUENCE_RETENTION,
    WINDOW_FUNNEL,
    SequenceCountQuestion,
    SequenceMatchQuestion,
    SequenceNextNodeQuestion,
    SequenceRetentionQuestion,
    WindowFunnelQuestion,
)
from models.sequences.questions import WindowFunnelMode
from tests.examples import FACTOR
from tests.sequence_streams import EVENTS, Stream, by_person, draw_conditions, draw_stream, met_by, results_of

pytestmark = pytest.mark.peers

ROUNDS = 8 * FACTOR
PEOPLE = 150

# Ours, and what ClickHouse 26.9 calls it. There an event hides those before it from strict_increase,
# unless strict_once stands beside it; a repeat gives the level reached; and reentry is always allowed.
MODES: list[tuple[tuple[WindowFunnelMode, ...], tuple[str, ...]]] = [
    ((), ()),
    (("strict_increase",), ("strict_increase", "strict_once")),
    (("strict_increase", "latest_only"), ("strict_increase",)),
    (("strict_once",), ("strict_once",)),
    (("strict_deduplication", "level_reached"), ("strict_deduplication",)),
    (("strict_order", "allow_reentry"), ("strict_order",)),
    (("strict_order", "allow_reentry", "allow_early"), ("strict_order", "allow_reentry")),
    (("strict_order", "allow_reentry", "strict_increase"), ("strict_order", "strict_increase", "strict_once")),
    (("strict_order", "allow_reentry", "strict_once"), ("strict_order", "strict_once")),
    (
        ("strict_order", "allow_reentry", "strict_deduplication", "level_reached"),
        ("strict_order", "strict_deduplication"),
    ),
]
PATTERNS = ["(?1)(?2)", "(?1).*(?2)", "(?1).(?2)", "(?1)(?t<=3)(?2)", "(?1)(?t>=2)(?2)", "(?2)(?t<2)(?1).*(?2)"]
PATTERNS += ["(?1)(?t==1)(?2)", "(?1)(?t>1)(?1)", "(?1)(?2)(?t<=4)(?1)(?2)", "(?1)", ".(?1)", "(?1).*(?2).*(?1)"]
ENDS = [("forward", "head"), ("backward", "tail")]
ENDS += [(direction, base) for direction in ("forward", "backward") for base in ("first_match", "last_match")]


@pytest.fixture(scope="module")
def seed() -> int:
    seed = int(os.environ.get("ONEPATH_PEERS_SEED", time.time_ns() % 1_000_000))
    print(f"ONEPATH_PEERS_SEED={seed}")  # noqa: T201  # who repeats a failure needs it
    return seed


class Peer:
    """One stream in ClickHouse: its rows with the conditions each meets."""

    def __init__(self, stream: Stream, conditions: tuple[Step, ...]) -> None:
        rows = [
            f"('{person}', {second}, '{event}', {[int(number in met) for number in numbers]})"
            for person, done in stream.events.items()
            for second, event in done
            for met, numbers in [(met_by(event, conditions), range(1, len(conditions) + 1))]
        ]
        self._rows = f"values('person String, t UInt32, event String, c Array(UInt8)', {', '.join(rows)})"
        self._conditions = ", ".join(f"c[{number}] = 1" for number in range(1, len(conditions) + 1))

    def ask(self, function: str, parameters: Iterable[object], before: str = "t, ") -> dict[str, Any]:
        """The function's result by person."""
        import chdb  # in a group of its own: it is large

        given = ", ".join(f"'{each}'" if isinstance(each, str) else str(each) for each in parameters)
        call = f"{function}{f'({given})' if given else ''}({before}{self._conditions})"
        settings = "settings allow_experimental_funnel_functions = 1"
        query = f"select person, {call} from (select * from {self._rows} order by person, t) group by person {settings}"
        lines = str(chdb.query(query, "JSONCompactEachRow")).splitlines()
        return by_person(dict(map(json.loads, lines)))


@pytest.mark.parametrize(("modes", "peer_modes"), MODES)
def test_window_funnel_gives_the_levels_that_clickhouse_gives(
    modes: tuple[WindowFunnelMode, ...], peer_modes: tuple[str, ...], seed: int
) -> None:
    random = Random(seed)
    for _ in range(ROUNDS):
        stream, conditions = draw_stream(random, PEOPLE), draw_conditions(random)
        window = random.choice([1, 3, 10, 30])
        expected = Peer(stream, conditions).ask("windowFunnel", [window, *peer_modes])

        question = WindowFunnelQuestion(conditions=conditions, window_s=window, modes=modes)
        assert results_of(WINDOW_FUNNEL, question, stream.world(), "level") == expected, (seed, question)


def test_retention_gives_what_clickhouse_gives(seed: int) -> None:
    random = Random(seed)
    for _ in range(ROUNDS):
        stream, conditions = draw_stream(random, PEOPLE), draw_conditions(random, least=2)
        expected = Peer(stream, conditions).ask("retention", [], before="")

        question, snapshot = SequenceRetentionQuestion(conditions=conditions), stream.world()
        for number in range(1, len(conditions) + 1):
            found = people_of(question, snapshot, number)
            assert found == {person for person, met in expected.items() if met[number - 1]}, (seed, question)


def people_of(question: SequenceRetentionQuestion, snapshot: Any, number: int) -> set[str]:
    from models.asking import ask_people
    from models.calendar import Calendar
    from models.sequences import SequenceRetentionNumber

    of = SequenceRetentionNumber(number)
    return set(ask_people(SEQUENCE_RETENTION, question, of, snapshot, Calendar(), absent="missing").subjects)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_found_where_clickhouse_finds_them(pattern: str, seed: int) -> None:
    random = Random(seed)
    for _ in range(ROUNDS // 2):
        stream = draw_stream(random, PEOPLE)
        conditions = draw_conditions(random, most=1) + draw_conditions(random, most=1)
        peer, snapshot = Peer(stream, conditions), stream.world()

        counted = SequenceCountQuestion(conditions=conditions, pattern=pattern)
        assert results_of(SEQUENCE_COUNT, counted, snapshot, "match_count") == {
            person: int(count) for person, count in peer.ask("sequenceCount", [pattern]).items()
        }, (seed, counted)
        matched = SequenceMatchQuestion(conditions=conditions, pattern=pattern)
        assert results_of(SEQUENCE_MATCH, matched, snapshot, "is_matched") == {
            person: bool(is_matched) for person, is_matched in peer.ask("sequenceMatch", [pattern]).items()
        }, (seed, matched)


@pytest.mark.parametrize(("direction", "base"), ENDS)
def test_the_next_node_is_the_one_clickhouse_gives(direction: Any, base: Any, seed: int) -> None:
    random = Random(seed)
    for _ in range(ROUNDS // 2):
        # ClickHouse orders events of one time by their names here; ours stay in the order in which they arrived.
        stream, conditions = draw_stream(random, PEOPLE, has_ties=False), draw_conditions(random, most=2)
        base_event = random.choice(EVENTS)
        before = f"t, event, event = '{base_event}', "
        expected = Peer(stream, conditions).ask("sequenceNextNode", [direction, base], before=before)

        question = SequenceNextNodeQuestion(
            conditions=conditions,
            direction=direction,
            base=base,
            base_where=(PropertyFilter("event_name", "eq", base_event, of="field"),),
        )
        assert results_of(SEQUENCE_NEXT_NODE, question, stream.world(), "next_node") == expected, (seed, question)
