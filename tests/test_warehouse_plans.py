"""A tracking plan in force: what the loader keeps, refuses and counts, and that a rebuild does the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.plan.plan import FORCE_DELAY_US, SET_PLAN
from ingest.record import Act
from tests.stories import (
    NOON_US,
    SECOND_US,
    StoryLog,
    contents,
    event,
    load_story,
    loader_of,
    login,
    native,
    new_warehouse,
    rows,
    told,
)
from warehouse.replay import RejectChoice, replay_rejects

TEACHER = login("teacher")
REJECTS = "select event_name, reason from rejects order by log_order"
VIOLATIONS = "select target, event_name, property, reason, message_count from plan_violations order by all"


def plan_act(mode: str, **events: Any) -> Act:
    """An operator applies a plan that declares these events with their properties."""
    declared = {name: {"properties": properties} for name, properties in events.items()}
    plan = {"mode": mode, "events": declared, "person_properties": {"age": "number"}}
    return Act(SET_PLAN, "head office", {"plan": plan, "file_name": "plan.yaml", "sha256": "0" * 64})


def identify(**properties: Any) -> Any:
    """A change of the teacher."""
    return native({"record_type": "identify", "identities": TEACHER, "properties": properties})


def test_enforcing_refuses_what_is_wrong_and_sets_aside_what_is_not_declared(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path,
        native(event("Opened", TEACHER, door="north")),  # before there is a plan
        plan_act("enforce", Opened={"door": "text", "width": "number"}),
        native(event("Opened", TEACHER, door="south", width=2)),
        native(event("Opened", TEACHER, width="wide"), event("Opend", TEACHER), event("Opened", TEACHER, width=3)),
        native(event("Opened", TEACHER, door="east", colour="red")),
    )
    assert rows(
        warehouse, "select properties.door, properties.width, other_properties from events order by log_order"
    ) == [
        ("north", None, None),
        ("south", 2.0, None),
        (None, 3.0, None),
        ("east", None, '{"colour": "red"}'),
    ]
    assert rows(warehouse, REJECTS) == [("Opened", "wrong_type"), ("Opend", "undeclared_event")]
    assert rows(warehouse, VIOLATIONS) == [("event", "Opened", "colour", "undeclared_property", 1)]
    [(original,)] = rows(warehouse, "select original from rejects where reason = 'wrong_type'")
    assert json.loads(original)["properties"] == {"width": "wide"}
    accounted = "select outcome, reason, message_count from arrivals order by all"
    assert rows(warehouse, accounted) == [
        ("event", None, 4),
        ("rejected", "undeclared_event", 1),
        ("rejected", "wrong_type", 1),
    ]


def test_warning_keeps_everything_and_counts_each_message_once(tmp_path: Path) -> None:
    resent = native({**event("Opened", TEACHER, width="wide"), "dedupe_key": "k"})
    warehouse = told(
        tmp_path,
        plan_act("warn", Opened={"width": "number"}),
        resent,
        resent,
        native(event("Closed", TEACHER)),
        identify(age="forty"),
    )
    assert rows(warehouse, "select event_name from events order by log_order") == [("Opened",), ("Closed",)]
    assert rows(warehouse, REJECTS) == []
    assert rows(warehouse, VIOLATIONS) == [
        ("event", "Closed", None, "undeclared_event", 1),
        ("event", "Opened", "width", "wrong_type", 1),
        ("person", None, "age", "wrong_type", 1),
    ]


def test_a_change_that_is_not_declared_is_kept_and_not_applied(tmp_path: Path) -> None:
    warehouse = told(tmp_path, plan_act("enforce"), identify(age=40, colour="red"), identify(age="forty"))
    assert rows(warehouse, "select changes, other_changes from calls") == [('{"age": 40}', '{"colour": "red"}')]
    assert rows(warehouse, "select property_name, value from property_values") == [("age", "40")]
    assert rows(warehouse, "select record_type, reason from rejects") == [("identify", "wrong_type")]
    assert rows(warehouse, "select count(*) from event_properties where misfit_count > 0") == [(0,)]


def test_a_plan_judges_what_arrives_from_a_second_later_until_the_next(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    applied_us, replaced_us = NOON_US, NOON_US + 10 * SECOND_US
    log.append(plan_act("enforce"), applied_us, "operator")
    log.append(plan_act("learn"), replaced_us, "operator")
    moments = {
        "before": applied_us - 1,
        "too soon": applied_us + FORCE_DELAY_US - 1,
        "in force": applied_us + FORCE_DELAY_US,
        "still": replaced_us + FORCE_DELAY_US - 1,
        "over": replaced_us + FORCE_DELAY_US,
    }
    for name, at_us in moments.items():
        log.append(native(event(name, TEACHER)), at_us)
    assert rows(load_story(log), REJECTS) == [("in force", "undeclared_event"), ("still", "undeclared_event")]


@pytest.mark.parametrize("act_is_late", [False, True])
def test_a_rebuild_judges_as_the_first_load_did(tmp_path: Path, act_is_late: bool) -> None:
    log, warehouse = StoryLog(tmp_path), new_warehouse()
    loader = loader_of(warehouse, log)
    soon_us = NOON_US + 5_000  # an event that arrived just after the act, and may be loaded before it
    if not act_is_late:
        log.append(plan_act("enforce", Opened={"width": "number"}), NOON_US, "operator")
        loader.load_all()
    log.append(native(event("Soon", TEACHER)), soon_us)
    loader.load_all()
    if act_is_late:
        log.append(plan_act("enforce", Opened={"width": "number"}), NOON_US, "operator")
    log.append(native(event("Opened", TEACHER, width="wide", colour="red")), NOON_US + 2 * SECOND_US)
    log.append(native(event("Opened", TEACHER, width=2, colour="red")), NOON_US + 3 * SECOND_US)
    loader.load_all()
    # Another collector was cut off, and what it received long before the plan comes last.
    log.append(native(event("Old", TEACHER)), NOON_US - SECOND_US, "outpost")
    loader.load_all()
    assert rows(warehouse, REJECTS) == [("Opened", "wrong_type")]
    assert contents(warehouse) == contents(load_story(log))


def test_what_a_plan_refused_comes_back_once_the_plan_was_mended(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(
        plan_act("enforce", Opened={}),
        native(event("Closed", TEACHER), event("Slammed", TEACHER), event("Opened", TEACHER)),
        plan_act("enforce", Opened={}, Closed={}),
    )
    warehouse = load_story(log)
    report = replay_rejects(warehouse, loader_of(warehouse, log), RejectChoice())
    assert (report.tried, report.events) == (2, 1)
    assert report.still_rejected == {"undeclared_event": 1}
    assert rows(warehouse, "select event_name from events order by log_order") == [("Closed",), ("Opened",)]
    assert rows(warehouse, REJECTS) == [("Slammed", "undeclared_event")]


def test_an_act_that_holds_no_plan_is_a_reject(tmp_path: Path) -> None:
    warehouse = told(tmp_path, Act(SET_PLAN, "x", {"plan": {"mode": "off"}}), native(event("Any", TEACHER)))
    [(reason, detail)] = rows(warehouse, "select reason, detail from rejects")
    assert reason == "unreadable_message"
    assert detail == "set_plan: plan: mode is 'off'; write one of learn, warn, enforce"
    assert rows(warehouse, "select count(*) from acts") == [(0,)]
