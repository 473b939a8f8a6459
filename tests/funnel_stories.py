"""What the tests of funnels share: short stories, and answers as plain lists of counts."""

from typing import Any

from models.asking import ask
from models.calendar import Calendar
from models.funnel import (
    FUNNEL,
    FunnelQuestion,
    FunnelStep,
)
from tests.worlds import StoryEvent, World, at

HOUR_S = 3600
MINUTE_S = 60
UTC_CALENDAR = Calendar()
REACH_PAY = (FunnelStep.of("reach"), FunnelStep.of("pay"))
REACH_TRIAL_PAY = (FunnelStep.of("reach"), FunnelStep.of("trial"), FunnelStep.of("pay"))


def story(person: str, *events: tuple[str, float], **properties: Any) -> list[StoryEvent]:
    """What one person did: names and seconds, all with the same properties."""
    return [StoryEvent(person, name, at(seconds), properties=properties) for name, seconds in events]


def counts(question: FunnelQuestion, snapshot: World, calendar: Calendar = UTC_CALENDAR) -> list[int]:
    return [row.subject_count for row in ask(FUNNEL, question, snapshot, calendar, "missing").rows]


def counts_by_group(question: FunnelQuestion, snapshot: World) -> dict[str | None, list[int]]:
    found: dict[str | None, list[int]] = {}
    for row in ask(FUNNEL, question, snapshot, UTC_CALENDAR).rows:
        found.setdefault(None if row.breakdown is None else "/".join(row.breakdown), []).append(row.subject_count)
    return found
