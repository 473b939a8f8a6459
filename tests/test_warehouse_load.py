"""Loading: every message is accounted for, once, whatever fails on the way."""

import json
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import LogUnreadable
from ingest.record import Request
from ingest.settings import DecodeSettings
from tests.stories import (
    DAY_US,
    NOON,
    NOON_MS,
    NOON_US,
    SECOND_US,
    Json,
    StoryLog,
    contents,
    device,
    event,
    load_story,
    loader_of,
    login,
    native,
    new_warehouse,
    post,
    rows,
    segment,
    sensors,
    told,
    tracked,
)
from warehouse.batch import BatchRequest, DecodedBatch
from warehouse.decoder import DecoderProcess
from warehouse.load import Loader, LoadStage
from warehouse.misfits import counted_misfits
from warehouse.project import Project
from warehouse.settings import WarehouseSettings
from warehouse.warehouse import Warehouse

KEYED = {**event("pay", device("d1"), NOON), "dedupe_key": "order-7"}
CALL = {"type": "track", "event": "reach", "anonymousId": "d1", "timestamp": NOON.isoformat(), "messageId": "m1"}


def names(warehouse: Warehouse) -> list[str]:
    return [name for (name,) in rows(warehouse, "select event_name from events order by log_order")]


# Accounts of what came


def test_every_message_is_accounted_for(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(
        native(KEYED, KEYED, {"identities": {}}, event("look", login("u1"))),
        sensors(tracked("reach"), tracked("reach"), {"type": "profile_set", "distinct_id": "d1", "time": NOON_MS}),
        sensors(tracked("reach"), tracked("reach")),
        segment(CALL, {**CALL, "type": "page"}, {**CALL, "type": "identify", "messageId": "m2", "userId": "u1"}),
        post("/v1/batch", b"nonsense"),
    )
    warehouse = new_warehouse()
    reports = loader_of(warehouse, log).load_all()
    assert [(each.records, each.messages, each.duplicates, each.rejects) for each in reports] == [(5, 11, 4, 2)]
    by_outcome = "select protocol, outcome, reason, sum(message_count)::int from arrivals group by all order by all"
    assert rows(warehouse, by_outcome) == [
        ("native", "duplicate", "same_key", 1),
        ("native", "event", None, 2),
        ("native", "rejected", "missing_event_name", 1),
        ("segment", "call", None, 1),
        ("segment", "duplicate", "same_key", 1),
        ("segment", "event", None, 1),
        ("segment", "rejected", "unreadable_body", 1),
        ("sensors", "call", None, 1),
        ("sensors", "duplicate", "same_content", 2),
        ("sensors", "event", None, 2),
    ]
    counted = rows(warehouse, "select outcome, sum(message_count)::int from arrivals group by outcome order by outcome")
    counts = {
        "call": "select count(*) from calls",
        "duplicate": f"select {reports[0].duplicates}",
        "event": "select count(*) from events",
        "rejected": "select count(*) from rejects",
    }
    assert counted == [(outcome, rows(warehouse, sql)[0][0]) for outcome, sql in counts.items()]


def test_loading_again_loads_nothing(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(KEYED), sensors(tracked("reach")))
    warehouse = new_warehouse()
    loader = loader_of(warehouse, log)
    assert len(loader.load_all()) == 1
    before = contents(warehouse)
    assert loader.load_next() is None
    assert loader_of(warehouse, log).load_next() is None
    assert contents(warehouse) == before


def test_empty_log_holds_nothing(tmp_path: Path) -> None:
    warehouse = new_warehouse()
    assert loader_of(warehouse, StoryLog(tmp_path / "none yet")).load_next() is None
    with warehouse.snapshot() as snapshot:
        assert snapshot.watermark == ""


def test_watermark_names_how_far_each_stream_is_loaded(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.append(native(KEYED), NOON_US, "b")
    log.append(native(KEYED), NOON_US, "a")
    ends = {stream: next((tmp_path / stream).glob("*.open")).stat().st_size for stream in "ab"}
    with load_story(log).snapshot() as snapshot:
        assert snapshot.watermark == f"a:1:{ends['a']} b:1:{ends['b']}"


# Failures


@pytest.mark.parametrize("stage", ["begun", "stored"])
def test_load_that_fails_leaves_nothing_and_the_next_loads_the_same(tmp_path: Path, stage: LoadStage) -> None:
    """The first load brings links, a new column, a duplicate to come; it fails once, just before its commit."""
    log = StoryLog(tmp_path)
    log.tell(
        native({**event("reach", {**device("d1"), **login("u1")}, NOON), "properties": {"plan": "free"}}),
        sensors(tracked("look")),
        native({"record_type": "identify", "identities": login("u1"), "properties": {"grade": 3}}),
    )
    warehouse, failures = new_warehouse(), ["disk full"]
    empty = contents(warehouse)

    def fail_once(reached: LoadStage) -> None:
        if reached == stage and failures:
            raise OSError(failures.pop())

    loader = loader_of(warehouse, log, fail_once)
    with pytest.raises(OSError, match="disk full"):
        loader.load_next()
    assert contents(warehouse) == empty
    loader.load_all()
    log.append(sensors(tracked("look")), NOON_US + 60 * SECOND_US)  # a resend of what the failed load had seen
    loader.load_all()
    assert contents(warehouse) == contents(load_story(log))
    assert names(warehouse) == ["reach", "look"]


def test_decoder_that_fails_costs_nothing(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(KEYED))

    def broken(_request: BatchRequest) -> DecodedBatch:
        raise MemoryError

    warehouse = new_warehouse()
    with pytest.raises(MemoryError):
        Loader(warehouse, log.folder, DecodeSettings(), decode=broken).load_next()
    loader_of(warehouse, log).load_all()
    assert names(warehouse) == ["pay"]


def test_a_log_file_that_cannot_be_read_stops_loading_until_it_can(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(KEYED), native(event("look", device("d1"))))
    path = tmp_path / "collector" / "000000000001.open"
    whole = path.read_bytes()
    path.unlink()
    path.mkdir()  # refuses to be read, whoever asks
    warehouse = new_warehouse()
    loader = loader_of(warehouse, log)
    with pytest.raises(LogUnreadable, match="Is a directory"):
        loader.load_next()
    path.rmdir()
    path.write_bytes(whole)
    loader.load_all()
    assert names(warehouse) == ["pay", "look"]


@pytest.fixture
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


def test_decoder_process_gives_what_decoding_here_gives_and_survives_being_killed(
    tmp_path: Path, decoder: DecoderProcess
) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(KEYED, {**event("reach", login("u1"), NOON), "properties": {"plan": ["a"]}}), post("/sa", b""))
    warehouse = new_warehouse()
    loader = Loader(warehouse, log.folder, DecodeSettings(), decode=decoder)
    loader.load_all()
    for child in active_children():
        child.kill()
        child.join()
    log.append(native(event("look", device("d1"))), NOON_US + DAY_US)
    loader.load_all()
    assert contents(warehouse) == contents(load_story(log))


# Once: senders with a key


@pytest.mark.parametrize("load_max_bytes", [1, 1 << 20])
def test_message_with_a_known_key_is_a_duplicate(tmp_path: Path, load_max_bytes: int) -> None:
    """In one request, in a later one, a month later; but not on another day of its own, nor in another family."""
    log = StoryLog(tmp_path)
    log.append(native(KEYED, {**KEYED, "event_name": "pay again"}), NOON_US)
    log.append(native(KEYED), NOON_US + SECOND_US)
    log.append(native(KEYED), NOON_US + 30 * DAY_US)
    log.append(
        native({**KEYED, "event_name": "yesterday", "event_at": (NOON - timedelta(days=1)).isoformat()}),
        NOON_US + 31 * DAY_US,
    )
    log.append(segment({**CALL, "messageId": "order-7"}), NOON_US + 32 * DAY_US)
    warehouse = load_story(log, load_max_bytes=load_max_bytes)
    assert names(warehouse) == ["pay", "yesterday", "reach"]
    assert rows(warehouse, "select sum(message_count)::int from arrivals where reason = 'same_key'") == [(3,)]


def test_key_is_remembered_over_a_restart(tmp_path: Path) -> None:
    log = StoryLog(tmp_path / "log")
    path = tmp_path / "academy.duckdb"
    for number in range(3):
        log.append(native(KEYED), NOON_US + number * SECOND_US)
        warehouse = Warehouse(path, Project("academy", "sixteen bytes of salt"), WarehouseSettings())
        loader_of(warehouse, log).load_all()
        assert names(warehouse) == ["pay"]
        warehouse.close()


def test_refused_message_does_not_use_its_key_up(tmp_path: Path) -> None:
    """The client sends the order without its name, then mends it."""
    warehouse = told(tmp_path, native({**KEYED, "event_name": ""}), native(KEYED))
    assert names(warehouse) == ["pay"]


# Once: senders without a key


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
    assert names(warehouse) == ["click", "click", "other", "click"]
    assert contents(load_story(log, load_max_bytes=1)) == contents(warehouse)


def test_equal_messages_without_a_time_of_their_own_are_both_real(tmp_path: Path) -> None:
    """A backend says `click` when it happens, and it happens twice; only a key can tell a resend here."""
    keyed = {**event("order", login("u1")), "dedupe_key": "order-7"}
    log = StoryLog(tmp_path)
    for after_s in (0, 1, 12 * 3600):  # the last one comes on another day
        log.append(native(event("click", device("d1")), keyed), NOON_US + after_s * SECOND_US)
    warehouse = load_story(log)
    assert names(warehouse) == ["click", "order", "click", "click"]
    assert contents(load_story(log, load_max_bytes=1)) == contents(warehouse)


def test_recent_content_is_remembered_over_a_restart(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    warehouse = new_warehouse()
    for number in range(3):
        log.append(sensors(tracked("reach")), NOON_US + number * SECOND_US)
        loader_of(warehouse, log).load_all()
    assert names(warehouse) == ["reach"]


# Properties


def property_types(warehouse: Warehouse) -> dict[str, tuple[str, int]]:
    found = rows(warehouse, "select property_name, property_type, misfit_count from event_properties")
    return {name: (kind, count) for name, kind, count in found}


def with_properties(*values: Json) -> list[Request]:
    return [native(event(f"e{number}", device("d1"), NOON, **each)) for number, each in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "column", "kept", "others"),
    [
        pytest.param([1, 2.5, "x", True], "number", [1.0, 2.5, None, None], [None, None, "x", True], id="number"),
        pytest.param(["a", 1, 2.5, True], "text", ["a", "1", "2.5", "true"], [None] * 4, id="text takes what it can"),
        pytest.param([True, 1, "true"], "boolean", [True, None, None], [None, 1, "true"], id="boolean"),
        pytest.param(
            [["a", "b"], [], [1], "a"], "list", [["a", "b"], [], None, None], [None, None, [1], "a"], id="list"
        ),
        pytest.param(
            [{"a": [1]}, [1, 2], ["x"], 7],
            "object",
            ['{"a": [1]}', "[1, 2]", '["x"]', None],
            [None, None, None, 7],
            id="object",
        ),
        pytest.param(
            [2**53 + 1, 2**53, -(2**53) - 1], "number", [None, 2.0**53, None], [2**53 + 1, None, -(2**53) - 1], id="ids"
        ),
        pytest.param([10**30, "text"], "text", [None, "text"], [10**30, None], id="a huge id says no type"),
        pytest.param(["李雷", "🎓\0\n"], "text", ["李雷", "🎓\0\n"], [None, None], id="any text"),
    ],
)
def test_first_type_wins_and_misfits_are_kept_and_counted(
    tmp_path: Path, values: list[Any], column: str, kept: list[Any], others: list[Any]
) -> None:
    warehouse = told(tmp_path, *with_properties(*({"it": value} for value in values)))
    found = rows(warehouse, "select properties.it, other_properties from events order by log_order")
    assert [value for value, _ in found] == kept
    assert [json.loads(text)["it"] if text else None for _, text in found] == others
    assert property_types(warehouse)["it"] == (column, len([each for each in others if each is not None]))


def test_names_differing_in_case_are_one_property(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path, *with_properties({"Plan": "a"}, {"plan": "b"}, {"PLAN": "c", "pLaN": "d"}, {"CHANNEL": "app"})
    )
    assert rows(warehouse, "select properties.plan, channel, other_properties from events order by log_order") == [
        ("a", None, None),
        ("b", None, None),
        ("c", None, '{"pLaN": "d"}'),
        (None, "app", None),
    ]
    assert "plan" not in property_types(warehouse)


def test_weird_names_get_a_column_of_their_own(tmp_path: Path) -> None:
    names = ['we"ird', "semi;colon", "a.b", "select", "名字", "a b", "'", "1", "x" * 255, "a]b", "{}", "$", "*", "\\"]
    warehouse = told(tmp_path, *with_properties({name: f"kept {name}" for name in names}))
    for name in names:
        quoted = name.replace('"', '""')
        assert rows(warehouse, f'select properties."{quoted}" from events') == [(f"kept {name}",)]
    assert rows(warehouse, "select other_properties from events") == [(None,)]


def test_unusable_names_are_kept_beside(tmp_path: Path) -> None:
    unusable = {"": "kept", "a\nb": 1, "nul\0": [], "tab\t": {"a": 1}}
    warehouse = told(tmp_path, *with_properties(unusable))
    ((others,),) = rows(warehouse, "select other_properties from events")
    assert json.loads(others) == unusable
    assert not unusable.keys() & property_types(warehouse).keys()
    assert rows(warehouse, "select reason, sum(value_count)::int from store.misfits group by reason") == [
        ("unusable_name", 4)
    ]


def test_columns_have_a_limit(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(*with_properties({"a": 1}, {"b": 2}, {"channel": "app"}))
    warehouse = load_story(log, max_property_columns=14, load_max_bytes=1)  # thirteen are there from the start
    assert rows(warehouse, "select properties.a, channel, other_properties from events order by log_order") == [
        (1.0, None, None),
        (None, None, '{"b": 2}'),
        (None, "app", None),
    ]


def test_names_made_up_for_each_value_are_counted_under_one(tmp_path: Path) -> None:
    made_up = [{f"{number:05}\n": 1} for number in range(1200)]
    warehouse = told(
        tmp_path, native(*(event("reach", device("d1"), NOON, **each) for each in [*made_up, *made_up[:1]]))
    )
    counted = rows(warehouse, "select name, sum(value_count)::int from store.misfits group by name order by name")
    assert (len(counted), counted[0], counted[1]) == (1001, ("(others)", 200), ("00000\n", 2))
    assert counted_misfits({("n" * 300, "other_type"): 2, ("n" * 301, "other_type"): 3}) == [
        ("n" * 255, "other_type", 5)
    ]


# Rejects


def test_rejects_are_found_newest_first_by_reason(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path,
        native({**event("", device("d1"), NOON)}),
        native(event("lost", {}, NOON)),
        native(event("found", device("d1"), NOON), event("lost again", {}, NOON)),
    )
    with warehouse.snapshot() as snapshot:
        every, nobodies = snapshot.rejects(10), snapshot.rejects(1, "missing_identity")
    assert every["reason"].to_pylist() == ["missing_identity", "missing_identity", "missing_event_name"]
    assert nobodies["event_name"].to_pylist() == ["lost again"]
    assert json.loads(nobodies["original"][0].as_py()) == event("lost again", {}, NOON)
