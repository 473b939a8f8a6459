"""Catalog, plan check and draft: what has been seen, and how it compares with a plan."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.plan.plan import plan_values
from ingest.plan.reading import read_plan
from models.errors import QuestionError
from models.plan.catalog import CatalogAnswer, CatalogQuestion, SeenProperty, SeenSdk, SeenType, answer_catalog
from models.plan.check import PlanCheck, check_plan
from models.plan.draft import draft_plan
from tests.examples import histories
from tests.stories import Json, StoryLog, event, load_story, login, native, segment, told
from warehouse.warehouse import Warehouse

ANN, BEN = login("ann"), login("ben")


def catalog_of(warehouse: Warehouse, event_name: str | None = None, examples: int = 5) -> CatalogAnswer:
    with warehouse.snapshot() as snapshot:
        return answer_catalog(CatalogQuestion(event_name, examples), snapshot)


def check_of(warehouse: Warehouse, plan: dict[str, Any], refused_since: str | None = None) -> PlanCheck:
    with warehouse.snapshot() as snapshot:
        return check_plan(read_plan(plan, "plan"), snapshot, refused_since)


def in_short(check: PlanCheck) -> list[tuple[Any, ...]]:
    return [(each.kind, each.event_name or each.target, each.property, each.count) for each in check.deviations]


def property_of(catalog: CatalogAnswer, event_name: str, name: str) -> SeenProperty:
    [seen] = [each for each in catalog.events if each.event_name == event_name]
    [found] = [each for each in seen.properties if each.property_name == name]
    return found


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Ann tries twice from the web, Ben once by a phone that spells badly; Ann pays."""
    web = {"source": "web", "sdk": "js", "sdk_version": "1.2"}
    app = {"source": "app", "sdk": "ios", "sdk_version": "4"}
    odd: Json = {"$url": "/", 'we"ird/~': {"a": 1}}
    warehouse = told(
        tmp_path_factory.mktemp("catalog"),
        native({**event("TrialStarted", ANN, channel="web", amount=95, subjects=["maths"]), **web}),
        native({**event("TrialStarted", ANN, channel="web", amount=20.5, live=True), **web, "sdk_version": "1.3"}),
        native({**event("TrialStarted", BEN, channel="tv", amount="95", starts="soon"), **app}),
        native(event("OrderPayed", ANN, amount=95, **odd)),
        segment(
            {"type": "identify", "userId": "ann", "traits": {"name": "Ann", "age": 30}},
            {"type": "identify", "userId": "ben", "traits": {"name": "Ben", "age": "thirty"}},
            {"type": "group", "userId": "ben", "groupId": "school-1", "traits": {"size": 400}},
        ),
    )
    yield warehouse
    warehouse.close()


def test_the_catalog_says_who_sent_which_event_and_when(school: Warehouse) -> None:
    catalog = catalog_of(school)
    assert [(each.event_name, each.count, each.persons) for each in catalog.events] == [
        ("OrderPayed", 1, 1),
        ("TrialStarted", 3, 2),
    ]
    trial = catalog.events[1]
    assert trial.sources == ("app", "web")
    assert trial.sdks == (SeenSdk("ios", ("4",)), SeenSdk("js", ("1.2", "1.3")))
    assert (trial.last_seen_at - trial.first_seen_at).total_seconds() == 2
    assert trial.first_seen_at.isoformat() == "2026-11-02T04:00:00+00:00"


def test_the_catalog_says_of_each_property_its_types_share_and_values(school: Warehouse) -> None:
    catalog = catalog_of(school)
    assert [each.property_name for each in catalog.events[1].properties] == [
        "amount",
        "channel",
        "live",
        "starts",
        "subjects",
    ]
    assert property_of(catalog, "TrialStarted", "channel") == SeenProperty(
        "channel", "text", 3, 1.0, 2, (), ("web", "tv")
    )
    amount = property_of(catalog, "TrialStarted", "amount")
    assert amount == SeenProperty("amount", "number", 3, 1.0, 2, (SeenType("text", 1),), (20.5, 95))
    assert property_of(catalog, "TrialStarted", "subjects").examples == (["maths"],)
    assert property_of(catalog, "TrialStarted", "live").share == pytest.approx(1 / 3)
    assert property_of(catalog, "OrderPayed", 'we"ird/~').type == "object"


def test_the_catalog_of_one_event_is_its_part_of_the_whole(school: Warehouse) -> None:
    whole, one = catalog_of(school), catalog_of(school, "TrialStarted")
    assert one.events == whole.events[1:]
    assert one.person_properties == ()
    assert catalog_of(school, "Nobody's").events == ()
    with pytest.raises(QuestionError, match="examples is 0"):
        CatalogQuestion(examples=0)


def test_the_catalog_names_properties_of_persons_and_accounts(school: Warehouse) -> None:
    catalog = catalog_of(school)
    assert catalog.person_properties == (
        SeenProperty("age", "number", 2, 1.0, 2, (SeenType("text", 1),), ("30",)),
        SeenProperty("name", "text", 2, 1.0, 2, (), ("Ann", "Ben")),
    )
    assert catalog.account_properties == (SeenProperty("size", "number", 1, 1.0, 1, (), ("400",)),)


def test_the_catalog_of_an_empty_warehouse_is_empty(tmp_path: Path) -> None:
    catalog = catalog_of(load_story(StoryLog(tmp_path)))
    assert (catalog.events, catalog.person_properties, catalog.account_properties) == ((), (), ())


def test_values_without_a_column_are_in_the_catalog(tmp_path: Path) -> None:
    log, odd = StoryLog(tmp_path), Json({"b\n": 1})
    log.tell(native(event("Opened", ANN, late="x", **odd)))
    late = catalog_of(load_story(log, max_property_columns=13))  # the columns there are from the start
    assert property_of(late, "Opened", "late") == SeenProperty("late", None, 1, 1.0, 0, (SeenType("text", 1),), ("x",))
    assert property_of(late, "Opened", "b\n").other_types == (SeenType("number", 1),)


@histories(4)
@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "B"]), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3))),
        min_size=10,
        max_size=30,
    )
)
def test_counts_and_examples_are_those_of_the_events(
    tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[str, Json]]
) -> None:
    story = [native(event(name, ANN, **properties)) for name, properties in sent]
    catalog = catalog_of(told(tmp_path_factory.mktemp("story"), *story), examples=2)
    assert [each.event_name for each in catalog.events] == sorted({name for name, _ in sent})
    for seen in catalog.events:
        mine = [properties for name, properties in sent if name == seen.event_name]
        assert seen.count == len(mine)
        assert [each.property_name for each in seen.properties] == sorted(set().union(*mine))
        for each in seen.properties:
            values = [properties[each.property_name] for properties in mine if each.property_name in properties]
            assert (each.count, each.share) == (len(values), len(values) / len(mine))
            frequent = sorted(set(values), key=lambda value: (-values.count(value), value))
            assert each.examples == tuple(frequent[:2])


# Check


def test_a_check_lists_every_kind_of_deviation(school: Warehouse) -> None:
    plan = {
        "events": {
            "TrialStarted": {
                "properties": {
                    "Channel": {"type": "text", "one_of": ["web", "fair"]},
                    "amount": "number",
                    "starts": {"type": "datetime", "required": True},
                    "subjects": "list",
                    "region": "text",
                }
            },
            "OrderPaid": {"properties": {"amount": "number"}},
        },
        "person_properties": {"age": "number", "city": "text"},
    }
    check = check_of(school, plan)
    assert not check.is_as_planned
    assert in_short(check) == [
        ("never_seen", "OrderPaid", None, 0),
        ("undeclared_event", "OrderPayed", None, 1),
        ("wrong_type", "TrialStarted", "amount", 1),
        ("missing_property", "TrialStarted", "starts", 2),
        ("never_seen", "TrialStarted", "region", 0),
        ("undeclared_property", "TrialStarted", "live", 1),
        ("wrong_type", "person", "age", 1),
        ("never_seen", "person", "city", 0),
        ("undeclared_property", "person", "name", 2),
        ("value_not_allowed", "TrialStarted", "channel", 1),
        ("wrong_type", "TrialStarted", "starts", 1),
    ]
    by_kind = {each.kind: each for each in check.deviations}
    assert by_kind["value_not_allowed"].detail == "declared one of 'web', 'fair', came as 'tv'"
    assert check.deviations[0].close_name == "OrderPayed"
    assert check.deviations[1].close_name == "OrderPaid"
    assert check.deviations[2].detail == "declared number, came as text (1)"
    assert check.deviations[3].share == pytest.approx(2 / 3)


def test_numbers_and_persons_have_allowed_values_too(school: Warehouse) -> None:
    declared = {"channel": "text", "live": "boolean", "starts": "text", "subjects": "list"}
    plan = {
        "events": {
            "TrialStarted": {"properties": {**declared, "amount": {"type": "number", "one_of": [95]}}},
            "OrderPayed": {"properties": {'we"ird/~': "object"}},
        },
        "common_properties": {"amount": "number"},
        "person_properties": {"age": "text", "name": {"type": "text", "one_of": ["Ann"]}},
    }
    assert in_short(check_of(school, plan)) == [
        ("wrong_type", "TrialStarted", "amount", 1),
        ("value_not_allowed", "TrialStarted", "amount", 1),
        ("value_not_allowed", "person", "name", 1),
    ]


def test_every_statement_of_an_answer_runs_as_it_is(school: Warehouse) -> None:
    check = check_of(school, {"events": {"TrialStarted": {"properties": {"starts": "datetime"}}}}, refused_since="0")
    names = [statement.name for statement in check.sql]
    assert names[-2:] == ["event_values", "refused"]
    with school.snapshot() as snapshot:
        for statement in check.sql:
            snapshot.query_limited(statement.sql, 100)


# Draft


def note_of(number: int) -> Json:
    """All but the first have one."""
    return {"note": "x"} if number else {}


def test_a_drafted_plan_finds_nothing_wrong_with_what_it_was_drafted_from(tmp_path: Path) -> None:
    preset: Json = {"$url": "/"}
    many = [event("Opened", ANN, door="north", width=n, **note_of(n)) for n in range(100)]
    warehouse = told(tmp_path, native(*many), native(event("Closed", ANN, door="north", **preset)))
    with warehouse.snapshot() as snapshot:
        draft = draft_plan(answer_catalog(CatalogQuestion(), snapshot))
    assert plan_values(draft) == {
        "mode": "warn",
        "presets": "allow",
        "events": {
            "Closed": {},
            "Opened": {"properties": {"note": "text", "width": {"type": "number", "required": True}}},
        },
        "common_properties": {"door": "text"},
        "person_properties": {},
        "account_properties": {},
    }
    assert check_of(warehouse, plan_values(draft)).is_as_planned


def test_a_draft_declares_what_preset_events_carry_under_other_names(tmp_path: Path) -> None:
    """As browsers' page views do; nothing of it is required, as nobody sends them on purpose."""
    preset: Json = {"$title": "Home"}
    views = [event("$pageview", ANN, page="home", url="/", **preset) for _ in range(100)]
    warehouse = told(tmp_path, native(*views, event("$screen", ANN, **preset), event("Opened", ANN, door="north")))
    draft = plan_values(draft_plan(catalog_of(warehouse)))
    assert draft["events"] == {
        "$pageview": {"properties": {"page": "text", "url": "text"}},
        "Opened": {"properties": {"door": "text"}},
    }
    assert check_of(warehouse, draft).is_as_planned
