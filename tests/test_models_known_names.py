"""A question on what nobody has ever sent is a mistake, and is told so; on what a plan declares it is only early."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ingest.plan.plan import SET_PLAN
from ingest.record import Act
from models.asking import ask
from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar
from models.errors import QuestionError
from models.filters import PropertyFilter, PropertyOf
from models.kinds import kind_of
from models.lifecycle import LifecycleQuestion
from models.matching import EventMatch
from models.paths import NodeLabel, PathsQuestion
from models.questions import Question
from models.trend import TrendQuestion
from models.trend.question import Series
from tests.stories import event, login, native, segment, told
from warehouse.one_id.worlds import World
from warehouse.warehouse import Warehouse

ANN = login("ann")
TRIAL = Series((EventMatch("TrialStarted"),))
PLAN = {
    "mode": "warn",
    "events": {"TrialStarted": {"properties": {"coupon": "text"}}, "ContractSigned": {}},
    "person_properties": {"birthday": "datetime"},
}


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Ann opens a page, tries and pays; she has a city, and her school a name. The plan expects more of them."""
    warehouse = told(
        tmp_path_factory.mktemp("known"),
        Act(SET_PLAN, "head office", {"plan": PLAN, "file_name": "plan.yaml", "sha256": "0" * 64}),
        native(
            event("/welcome/", ANN),
            event("TrialStarted", ANN, channel="fair"),
            event("OrderPaid", ANN),
        ),
        segment(
            {"type": "identify", "userId": "ann", "traits": {"city": "Wuhan"}},
            {"type": "group", "userId": "ann", "groupId": "school-1", "traits": {"name": "Riverside"}},
        ),
    )
    yield warehouse
    warehouse.close()


def rows_of(school: Warehouse, question: Question, world: World | None = None) -> int:
    with school.snapshot() as snapshot:
        if world is None:
            return len(ask(kind_of(question), question, snapshot, Calendar()).rows)
        with snapshot.imagined(world):
            return len(ask(kind_of(question), question, snapshot, Calendar()).rows)


def split_by(name: str, **owner: str) -> TrendQuestion:
    return TrendQuestion(series=(TRIAL,), breakdown=Breakdown((BreakdownProperty(name, **owner),)))  # type: ignore[arg-type]  # as sent


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (PathsQuestion(start="TrialStart"), "No event is named 'TrialStart': did you mean 'TrialStarted'?"),
        (PathsQuestion(end="paid"), "No event is named 'paid': did you mean 'OrderPaid'?"),
        (PathsQuestion(end="xyz"), "No event is named 'xyz': see the names with: onepath catalog."),
        (LifecycleQuestion(where=(PropertyFilter("City", value="Wuhan", of="person"),)), "did you mean 'city'?"),
        (
            LifecycleQuestion(created_by="property", created_property=PropertyOf("created_at", of="person")),
            "No person has a property 'created_at'",
        ),
        (LifecycleQuestion(by="person_property", by_property="town"), "No person has a property 'town'"),
        (LifecycleQuestion(by="property", by_property="chanel"), "No event has a property 'chanel'"),
        (split_by("chanel"), "No event has a property 'chanel': did you mean 'channel'?"),
        (split_by("nmae", of="account"), "No account has a property 'nmae': did you mean 'name'?"),
        (split_by("name", of="account", account_type="class"), "No account of the type 'class' has a property 'name'"),
    ],
)
def test_a_name_that_nobody_has_sent_is_refused(school: Warehouse, question: Question, sentence: str) -> None:
    with pytest.raises(QuestionError) as refused:
        rows_of(school, question)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("question", "row_count"),
    [
        (LifecycleQuestion(where=(PropertyFilter("birthday", "is_set", of="person"),)), 0),
        (split_by("coupon"), 1),
        (TrendQuestion(series=(Series((EventMatch("ContractSigned"),)),)), 0),
        (PathsQuestion(start="ContractSigned"), 0),
    ],
)
def test_what_the_plan_declares_may_be_asked_before_it_comes(
    school: Warehouse, question: Question, row_count: int
) -> None:
    assert rows_of(school, question) == row_count


def test_what_had_not_come_by_a_moment_may_be_asked_as_of_it(school: Warehouse) -> None:
    before = World(happened_at=datetime(2020, 1, 1, tzinfo=UTC))

    assert rows_of(school, split_by("city", of="person"), before) == 0


@pytest.mark.parametrize(
    "question",
    [
        PathsQuestion(start="/welcome"),  # the slash at its end is taken off
        PathsQuestion(start="/welcome/"),
        PathsQuestion(start="fair", labels=(NodeLabel.of("channel", event="TrialStarted"),)),
        PathsQuestion(start="*Paid", groupings=("*Paid",)),
    ],
)
def test_the_ends_of_paths_are_names_as_they_are_shown(school: Warehouse, question: PathsQuestion) -> None:
    assert rows_of(school, question) > 0


def test_an_end_that_is_on_no_path_is_refused() -> None:
    with pytest.raises(QuestionError, match="start 'OrderPaid' is not among the events in any_of: no path has it"):
        PathsQuestion(start="OrderPaid", any_of=(EventMatch("TrialStarted"),))


def test_names_that_one_snapshot_found_are_known_to_the_next(school: Warehouse) -> None:
    with school.snapshot() as first:
        assert first.unseen_properties({("person", "city"), ("person", "town")}) == {("person", "town")}
    with school.snapshot() as second:
        assert second.unseen_properties({("account", "name")}) == frozenset()
        assert second.seen_properties("person") == {"city"}
