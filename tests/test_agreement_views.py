"""Every list counts its number over the public views of a real warehouse, with and without accounts.

The other agreement tests ask a table called `events`; here the engine has the joins of the views to move filters past.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from models import sessions, trend
from models.asking import ask, ask_people
from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar
from models.distribution import DistributionQuestion
from models.funnel import FunnelQuestion, FunnelStep, FunnelTrendQuestion, TimeToConvertQuestion
from models.interval import IntervalQuestion
from models.kinds import KINDS, kind_of
from models.lifecycle import LifecycleQuestion
from models.matching import EventMatch, Stage, Step
from models.paths import PathsQuestion
from models.questions import OTHER, Question, QuestionKind
from models.retention import RetentionQuestion
from models.sales_path import SalesPathQuestion
from models.sequences import (
    SequenceCountQuestion,
    SequenceMatchQuestion,
    SequenceNextNodeQuestion,
    SequenceRetentionQuestion,
    WindowFunnelQuestion,
)
from models.sessions import SessionsQuestion
from models.stickiness import StickinessQuestion
from models.trend import Series, TrendQuestion
from tests.stories import NOON_US, SECOND_US, StoryLog, event, load_story, login, native
from warehouse.warehouse import Warehouse

HOUR_US = 3600 * SECOND_US
VISIT, TRIAL, PAY = (EventMatch(name) for name in ("visit", "trial", "pay"))
STEPS = (FunnelStep((VISIT,)), FunnelStep((TRIAL,), occurrence="first_time"), FunnelStep((PAY,)))
CONDITIONS = (Step((VISIT,)), Step((TRIAL,)))
WHO_DID_WHAT = (
    *(("ann", "visit", "ads", 0), ("ann", "trial", "fair", 1), ("ann", "pay", "web", 30), ("ann", "visit", "ads", 31)),
    *(
        ("bob", "visit", "ads", 0),
        ("bob", "visit", "fair", 2),
        ("bob", "trial", "ads", 26),
        ("bob", "trial", "web", 27),
    ),
    *(
        ("cid", "visit", "fair", 5),
        ("cid", "pay", "web", 6),
        ("dee", "visit", "web", 6),
        ("dee", "trial", "ads", 7),
        ("eve", "visit", "web", 50),
    ),
)


def questions(breakdown: Breakdown) -> Iterator[Question]:
    """One of each kind; split where the kind can be."""
    yield TrendQuestion(series=(Series((EventMatch(None),), measure="subjects"),), interval="day", breakdown=breakdown)
    yield FunnelQuestion(STEPS, breakdown=breakdown)
    yield FunnelTrendQuestion(STEPS[:2], interval="day", breakdown=breakdown)
    yield TimeToConvertQuestion(STEPS[:2], breakdown=breakdown)
    yield RetentionQuestion(interval="day", periods=2, breakdown=breakdown)
    yield LifecycleQuestion(any_of=(VISIT,), breakdown=breakdown)
    yield StickinessQuestion(breakdown=breakdown)
    yield DistributionQuestion(any_of=(EventMatch(None),), breakdown=breakdown)
    yield IntervalQuestion(first=Step((VISIT,)), second=Step((TRIAL,)), breakdown=breakdown)
    yield PathsQuestion(breakdown=breakdown, edge_limit=1)
    yield SessionsQuestion(interval="day", breakdown=breakdown)
    yield SequenceMatchQuestion(conditions=CONDITIONS, pattern="(?1).*(?2)", breakdown=breakdown)
    yield SequenceCountQuestion(conditions=CONDITIONS, pattern="(?1).*(?2)", breakdown=breakdown)
    yield SequenceRetentionQuestion(conditions=CONDITIONS, breakdown=breakdown)
    yield SequenceNextNodeQuestion(conditions=CONDITIONS[:1], base="first_match", breakdown=breakdown)
    yield WindowFunnelQuestion(conditions=CONDITIONS, window_s=86_400, breakdown=breakdown)
    yield SalesPathQuestion(stages=(Stage("look", (VISIT,)), Stage("try", (TRIAL,)), Stage("pay", (PAY,))))


@pytest.fixture(scope="module")
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Five persons; a breakdown by channel with a limit of 1 puts the fair and the web together as the rest."""
    of_school = {"account_id": "school-1"} if request.param == "with accounts" else {}
    log = StoryLog(tmp_path_factory.mktemp("log"))
    for who, name, channel, hour in WHO_DID_WHAT:
        log.append(native({**event(name, login(who), channel=channel), **of_school}), NOON_US + hour * HOUR_US)
    loaded = load_story(log)
    yield loaded
    loaded.close()


COUNTED: dict[str, dict[str, dict[str, Any]]] = {
    "trend": {"value": {}},
    "retention": {"retained_count": {}, "churned_count": {"outcome": "churned"}},
    "lifecycle": {f"{status}_count": {"status": status} for status in ("new", "returning", "resurrecting", "dormant")},
    "funnel": {"subject_count": {}, "dropped_count": {"outcome": "dropped"}},
    "funnel-trend": {"from_count": {"reached": "from"}, "to_count": {"reached": "to"}},
    "sessions": {"subject_count": {}, "bounced_subject_count": {"is_bounce": True}},
    "sales-path": {"entered": {"counted": "entered"}, "reached": {"counted": "reached"}},
}
"""What counts subjects in the rows of a kind (subject_count in those of the others), and what says so in a number."""


def lists(kind: QuestionKind[Any], row: Any) -> Iterator[tuple[int, Any]]:
    """Each count of a row, and the number that asks for its people."""
    said = {each.name: getattr(row, each.name) for each in fields(kind.number) if hasattr(row, each.name)}
    if "breakdown" in said:
        said["breakdown"] = OTHER if row.breakdown is None else tuple(row.breakdown)
    for column, how in COUNTED.get(kind.name, {"subject_count": {}}).items():
        yield abs(int(getattr(row, column) or 0)), kind.number(**{**said, **how})


ASKED = [
    *(pytest.param("without accounts", kind, id=kind.name) for kind in KINDS),
    *(pytest.param("with accounts", kind, id=f"{kind.name}, with accounts") for kind in (trend.KIND, sessions.KIND)),
]


@pytest.mark.parametrize(("warehouse", "kind"), ASKED, indirect=["warehouse"])
def test_each_row_counts_who_is_on_its_lists(warehouse: Warehouse, kind: QuestionKind[Any]) -> None:
    split = Breakdown((BreakdownProperty("channel"),), limit=1)
    asked = [question for question in questions(split) if kind_of(question) is kind]
    with warehouse.snapshot() as snapshot:
        for question in asked:
            rows = ask(kind, question, snapshot, Calendar()).rows
            if kind.name != "sales-path":  # which is not split
                assert {None if row.breakdown is None else len(row.breakdown) for row in rows} == {None, 1}
            # The first and the last: a group that is shown, and the rest.
            for count, number in (each for row in (*rows[:2], *rows[-2:]) for each in lists(kind, row)):
                assert ask_people(kind, question, number, snapshot, Calendar()).count == count, number
    assert asked
