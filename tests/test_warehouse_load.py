"""Loading: every message is accounted for, once, whatever fails on the way."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import LogUnreadable
from ingest.settings import DecodeSettings
from tests.stories import (
    DAY_US,
    NOON,
    NOON_MS,
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
    post,
    rows,
    segment,
    sensors,
    told,
    tracked,
)
from warehouse.batch import BatchRequest, DecodedBatch
from warehouse.decoder import DecoderProcess
from warehouse.errors import WriteFailed
from warehouse.load import Loader, LoadStage

# Accounts of what came


def test_every_message_is_accounted_for(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(
        native(ORDER, ORDER, {"identities": {}}, event("look", login("u1"))),
        sensors(tracked("reach"), tracked("reach"), {"type": "profile_set", "distinct_id": "d1", "time": NOON_MS}),
        sensors(tracked("reach"), tracked("reach")),
        segment(
            SEGMENT_CALL,
            {**SEGMENT_CALL, "type": "page"},
            {**SEGMENT_CALL, "type": "identify", "messageId": "m2", "userId": "u1"},
        ),
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
    log.tell(native(ORDER), sensors(tracked("reach")))
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
    log.append(native(ORDER), NOON_US, "b")
    log.append(native(ORDER), NOON_US, "a")
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
    assert event_names(warehouse) == ["reach", "look"]


def test_load_that_does_not_fit_in_memory_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(event("fill in form", device("d1"), NOON, **{f"answer {number}": "yes" for number in range(380)})))
    warehouse = new_warehouse(memory_limit_mb=48)
    empty = contents(warehouse)
    with pytest.raises(WriteFailed, match="Out of Memory"):
        loader_of(warehouse, log).load_all()
    assert contents(warehouse) == empty


def test_decoder_that_fails_costs_nothing(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(ORDER))

    def broken(_request: BatchRequest) -> DecodedBatch:
        raise MemoryError

    warehouse = new_warehouse()
    with pytest.raises(MemoryError):
        Loader(warehouse, log.folder, DecodeSettings(), decode=broken).load_next()
    loader_of(warehouse, log).load_all()
    assert event_names(warehouse) == ["pay"]


def test_a_log_file_that_cannot_be_read_stops_loading_until_it_can(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(ORDER), native(event("look", device("d1"))))
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
    assert event_names(warehouse) == ["pay", "look"]


@pytest.fixture
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


def test_decoder_process_gives_what_decoding_here_gives_and_survives_being_killed(
    tmp_path: Path, decoder: DecoderProcess
) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(ORDER, {**event("reach", login("u1"), NOON), "properties": {"plan": ["a"]}}), post("/sa", b""))
    warehouse = new_warehouse()
    loader = Loader(warehouse, log.folder, DecodeSettings(), decode=decoder)
    loader.load_all()
    decoder._child.kill()
    decoder._child.wait()
    log.append(native(event("look", device("d1"))), NOON_US + DAY_US)
    loader.load_all()
    assert contents(warehouse) == contents(load_story(log))


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
