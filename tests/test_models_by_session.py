"""Questions by session: the same as by a property in which every event carries the session it belongs to."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asking import ask, ask_people
from models.calendar import Calendar, Period
from models.distribution import DistributionQuestion
from models.errors import QuestionError
from models.filters import PropertyFilter
from models.funnel import FunnelNumber, FunnelQuestion, FunnelStep, FunnelTrendQuestion, TimeToConvertQuestion
from models.interval import IntervalQuestion
from models.kinds import kind_of
from models.lifecycle import LifecycleQuestion
from models.matching import EventMatch, Step
from models.paths import PathsQuestion
from models.questions import Question
from models.retention import RetentionQuestion
from models.sequences import SequenceMatchQuestion, WindowFunnelQuestion
from models.sessionizing import SessionCut
from models.stickiness import StickinessQuestion
from models.trend import Series, TrendQuestion
from tests.event_streams import PROPERTIES, streams
from tests.examples import examples
from tests.worlds import StoryEvent, at, person_id, world
from warehouse.reader import EventProperty

CALENDAR = Calendar()
VISIT, TRIAL = EventMatch("visit"), EventMatch("trial")
STEPS = (FunnelStep((VISIT,)), FunnelStep((TRIAL,)))
QUESTIONS: tuple[Callable[..., Question], ...] = (
    lambda **how: FunnelQuestion(STEPS, **how),
    lambda **how: FunnelQuestion(STEPS, order="strict", **how),
    lambda **how: FunnelQuestion(STEPS, order="unordered", **how),
    lambda **how: FunnelTrendQuestion(STEPS, interval="day", **how),
    lambda **how: TimeToConvertQuestion(STEPS, **how),
    lambda **how: TrendQuestion(series=(Series((VISIT,), measure="subjects"),), **how),
    lambda **how: TrendQuestion(series=(Series((VISIT,), occurrence="first_time"),), interval="day", **how),
    lambda **how: TrendQuestion(series=(Series((VISIT,), occurrence="last_in_period"),), **how),
    lambda **how: IntervalQuestion(first=Step((VISIT,)), second=Step((TRIAL,)), **how),
    lambda **how: WindowFunnelQuestion(conditions=(Step((VISIT,)), Step((TRIAL,))), window_s=86_400, **how),
    lambda **how: RetentionQuestion(interval="hour", periods=2, **how),
    lambda **how: LifecycleQuestion(any_of=(VISIT,), **how),
    lambda **how: StickinessQuestion(**how),
    lambda **how: DistributionQuestion(any_of=(VISIT, TRIAL), **how),
    lambda **how: SequenceMatchQuestion(conditions=(Step((VISIT,)), Step((TRIAL,))), pattern="(?1).*(?2)", **how),
)


def cut(events: Sequence[StoryEvent], gap: timedelta, opening: str | None) -> list[StoryEvent]:
    """The events with the property `session_of`: "ann/2" for Ann's second session."""
    found = list(events)
    for person in {event.person for event in events}:
        number, before = 0, None
        for place, event in sorted(enumerate(events), key=lambda each: (each[1].at, each[0])):
            if event.person != person:
                continue
            number += before is None or event.at - before >= gap or event.event == opening
            before = event.at
            found[place] = replace(event, properties={**event.properties, "session_of": f"{person}/{number}"})
    return found


@given(
    streams(),
    st.sampled_from(QUESTIONS),
    st.sampled_from((60.0, 1800.0, 86_400.0)),
    st.sampled_from((None, "pay")),
    st.sampled_from(((), (PropertyFilter("event_name", "neq", "pay", of="field"),))),
    st.sampled_from((Period(), Period(datetime(2024, 3, 31), datetime(2024, 10, 27)))),  # noqa: DTZ001  # local times
)
@examples(30)
def test_sessions_are_cut_from_all_events_whatever_is_asked(
    events: list[StoryEvent],
    question: Callable[..., Question],
    gap_s: float,
    opening: str | None,
    where: tuple[PropertyFilter, ...],
    period: Period,
) -> None:
    session = SessionCut(gap_s, start_events=(EventMatch(opening),) if opening else ())
    shared: dict[str, Any] = {"where": where, "period": period}
    by_session = question(by="session", session=session, **shared)
    by_property = question(by="property", by_property="session_of", **shared)
    carried = world(cut(events, timedelta(seconds=gap_s), opening), [*PROPERTIES, EventProperty("session_of", "text")])
    found = [ask(kind_of(each), each, carried, CALENDAR, "missing").rows for each in (by_session, by_property)]
    assert found[0] == found[1]


def test_who_a_session_is_stands_in_the_list() -> None:
    """Ann visits and tries within minutes; on the next day she only visits, and Bob tries hours after his visit."""
    story = [
        StoryEvent("ann", "visit", at(0)),
        StoryEvent("ann", "trial", at(600)),
        StoryEvent("ann", "visit", at(90_000)),
        StoryEvent("bob", "visit", at(0)),
        StoryEvent("bob", "trial", at(9_000)),
    ]
    snapshot, question = world(story), FunnelQuestion(STEPS, by="session")
    assert [row.subject_count for row in ask(kind_of(question), question, snapshot, CALENDAR).rows] == [3, 1]
    people = ask_people(kind_of(question), question, FunnelNumber(2), snapshot, CALENDAR)
    assert people.subjects == (f"{person_id('ann')}/1",)


def test_a_cut_that_nothing_is_cut_by_is_refused() -> None:
    with pytest.raises(QuestionError, match="ask by 'session' to follow them"):
        FunnelQuestion(STEPS, session=SessionCut(60))
    with pytest.raises(QuestionError, match="goes session by session already"):
        PathsQuestion(by="session")
    assert "session" in {each.name for each in fields(PathsQuestion(session=SessionCut(60)))}
