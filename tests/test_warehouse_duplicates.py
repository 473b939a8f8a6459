"""Duplicates: a message that comes again is counted and kept once, with a key for ever, without one for a while."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.stories import (
    DAY_US,
    NOON,
    NOON_US,
    ORDER,
    SECOND_US,
    SEGMENT_CALL,
    StoryLog,
    contents,
    device,
    event,
    event_names,
    load_story,
    loader_of,
    login,
    native,
    new_warehouse,
    rows,
    segment,
    sensors,
    told,
    tracked,
)
from warehouse.project import Project
from warehouse.settings import WarehouseSettings
from warehouse.warehouse import Warehouse

# Senders with a key


@pytest.mark.parametrize("load_max_bytes", [1, 1 << 20])
def test_message_with_a_known_key_is_a_duplicate(tmp_path: Path, load_max_bytes: int) -> None:
    """In one request, in a later one, a month later; but not on another day of its own, nor in another family."""
    log = StoryLog(tmp_path)
    log.append(native(ORDER, {**ORDER, "event_name": "pay again"}), NOON_US)
    log.append(native(ORDER), NOON_US + SECOND_US)
    log.append(native(ORDER), NOON_US + 30 * DAY_US)
    log.append(
        native({**ORDER, "event_name": "yesterday", "event_at": (NOON - timedelta(days=1)).isoformat()}),
        NOON_US + 31 * DAY_US,
    )
    log.append(segment({**SEGMENT_CALL, "messageId": "order-7"}), NOON_US + 32 * DAY_US)
    warehouse = load_story(log, load_max_bytes=load_max_bytes)
    assert event_names(warehouse) == ["pay", "yesterday", "reach"]
    assert rows(warehouse, "select sum(message_count)::int from arrivals where reason = 'same_key'") == [(3,)]


def test_key_is_remembered_over_a_restart(tmp_path: Path) -> None:
    log = StoryLog(tmp_path / "log")
    path = tmp_path / "academy.duckdb"
    for number in range(3):
        log.append(native(ORDER), NOON_US + number * SECOND_US)
        warehouse = Warehouse(path, Project("academy", "sixteen bytes of salt"), WarehouseSettings())
        loader_of(warehouse, log).load_all()
        assert event_names(warehouse) == ["pay"]
        warehouse.close()


def test_refused_message_does_not_use_its_key_up(tmp_path: Path) -> None:
    """The client sends the order without its name, then mends it."""
    warehouse = told(tmp_path, native({**ORDER, "event_name": ""}), native(ORDER))
    assert event_names(warehouse) == ["pay"]


# Senders without a key


def test_equal_content_within_ten_minutes_is_a_resend(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    resend = sensors(tracked("reach"))
    for after_s in (0, 1, 600, 601, 1201, 1202):  # the window starts with what was accepted: at 0, at 601, at 1202
        log.append(resend, NOON_US + after_s * SECOND_US)
    once = load_story(log)
    assert [at_us // SECOND_US for (at_us,) in rows(once, _AFTER_NOON_US)] == [0, 601, 1202]
    assert contents(load_story(log, load_max_bytes=1)) == contents(once)


_AFTER_NOON_US = f"select epoch_us(received_at) - {NOON_US} from events order by log_order"


def test_nth_equal_message_of_a_request_is_compared_with_the_nth(tmp_path: Path) -> None:
    """Two equal clicks in one request are two; when it is sent again with a third, only the third is new."""
    click, other = tracked("click"), tracked("other")
    log = StoryLog(tmp_path)
    log.tell(sensors(click, click), sensors(click, click), sensors(other, click, click, click))
    warehouse = load_story(log)
    assert event_names(warehouse) == ["click", "click", "other", "click"]
    assert contents(load_story(log, load_max_bytes=1)) == contents(warehouse)


def test_equal_messages_without_a_time_of_their_own_are_both_real(tmp_path: Path) -> None:
    """A backend says `click` when it happens, and it happens twice; only a key can tell a resend here."""
    keyed = {**event("order", login("u1")), "dedupe_key": "order-7"}
    log = StoryLog(tmp_path)
    for after_s in (0, 1, 12 * 3600):  # the last one comes on another day
        log.append(native(event("click", device("d1")), keyed), NOON_US + after_s * SECOND_US)
    warehouse = load_story(log)
    assert event_names(warehouse) == ["click", "order", "click", "click"]
    assert contents(load_story(log, load_max_bytes=1)) == contents(warehouse)


def test_recent_content_is_remembered_over_a_restart(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    warehouse = new_warehouse()
    for number in range(3):
        log.append(sensors(tracked("reach")), NOON_US + number * SECOND_US)
        loader_of(warehouse, log).load_all()
    assert event_names(warehouse) == ["reach"]
