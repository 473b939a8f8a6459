"""Streams of events drawn at random for the sequence functions, with ties and conditions that overlap."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from models.calendar import Calendar
from models.matching import EventMatch, Step
from models.questions import Question, QuestionKind, Scope
from models.sql import render
from tests.worlds import StoryEvent, World, at, person_id, world

EVENTS = ("visit", "trial", "sign", "pay", "chat")


@dataclass(frozen=True)
class Stream:
    """What each person did: names of events at whole seconds, in the order in which they arrived."""

    events: dict[str, list[tuple[int, str]]]

    def world(self) -> World:
        """The stream as a snapshot."""
        told = [StoryEvent(person, event, at(second)) for person, done in self.events.items() for second, event in done]
        return world(told)

    def in_time_order(self) -> Iterable[tuple[str, list[tuple[int, str]]]]:
        """Each person with the events in order of time; of one time, in the order in which they arrived."""
        return ((person, sorted(done, key=lambda each: each[0])) for person, done in self.events.items())


def draw_stream(random: Random, people: int, *, has_ties: bool = True, most_events: int = 12) -> Stream:
    """So many people, each with up to `most_events` events within few seconds."""
    events: dict[str, list[tuple[int, str]]] = {}
    for number in range(people):
        count = random.randint(1, most_events)
        span = random.choice([3, 10, 40]) if has_ties else 40
        seconds = [random.randrange(span) for _ in range(count)] if has_ties else random.sample(range(span), count)
        events[f"person {number}"] = [(second, random.choice(EVENTS)) for second in seconds]
    return Stream(events)


def draw_conditions(random: Random, most: int = 4, least: int = 1) -> tuple[Step, ...]:
    """Conditions met by one event or by one of several; some are met by the same events."""
    kinds = [random.sample(EVENTS[:4], random.choice([1, 1, 1, 2])) for _ in range(random.randint(least, most))]
    return tuple(Step(tuple(map(EventMatch, kind))) for kind in kinds)


def met_by(event: str, conditions: Iterable[Step]) -> list[int]:
    """The conditions, from 1, that an event of this name meets."""
    return [
        number
        for number, condition in enumerate(conditions, start=1)
        if any(match.event == event for match in condition.any_of)
    ]


def results_of(kind: QuestionKind[Any], question: Question, snapshot: World, column: str) -> dict[str, Any]:
    """The result of each subject, by the text of its id."""
    scope = Scope(Calendar(), tuple(snapshot.event_properties()), "missing")
    statement = kind.build(question, scope)
    rows = snapshot.query(render(statement.ctes, statement.people, materialized=statement.materialized)).to_pylist()
    assert len({row["subject_id"] for row in rows}) == len(rows)
    return {str(row["subject_id"]): row[column] for row in rows}


def by_person(expected: dict[str, Any]) -> dict[str, Any]:
    """Results by the names of the story, as they are by the ids of the world."""
    return {str(person_id(person)): result for person, result in expected.items()}
