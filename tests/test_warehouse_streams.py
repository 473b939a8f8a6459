"""Random streams: however a log is cut into loads, whatever is loaded late, the warehouse holds the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.record import Act, Request
from ingest.settings import DecodeSettings
from tests.examples import histories
from tests.stories import (
    NOON,
    NOON_US,
    SECOND_US,
    STAGES,
    FixedClock,
    Json,
    StoryLog,
    contents,
    device,
    event,
    event_names,
    load_story,
    loader_of,
    native,
    new_warehouse,
    post,
    retraction,
    rows,
    unbind,
)
from tests.test_warehouse_replay import POOLS, messages_of
from warehouse.load import Loader
from warehouse.refresh import refresh_marts
from warehouse.warehouse import Warehouse

FEW = histories(3)
MARTS = ("daily_activity", "sales_path_daily", "acquisition_daily")

Step = tuple[int, tuple[str, Any]]  # seconds after the one before; what kind of record, and what is in it

IDENTITIES = st.fixed_dictionaries(
    {},
    optional={
        ANONYMOUS_ID: st.sampled_from(["d1", "d2", "x"]),
        LOGIN_ID: st.sampled_from(["u1", "u2", "x"]),
        "$identity_mobile": st.sampled_from(["138", "139"]),
    },
)
VALUES = st.sampled_from([1, 2.5, "free", True, ["a", "b"], {"deep": 1}, 2**60])
NAMES = st.sampled_from(["plan", "Plan", "channel", 'we"ird', ""])
MOMENTS = st.sampled_from([None, *(f"2026-{day}:00:00Z" for day in ("10-30T08", "10-31T20", "11-01T15", "11-02T01"))])
ACCOUNTS = st.sampled_from([None, None, "school-1", "school-2"])


PROPERTIES = st.dictionaries(NAMES, VALUES, max_size=2)
PLAIN_PROPERTIES = st.fixed_dictionaries({}, optional={"plan": st.sampled_from(["free", "paid"])})


def messages(
    identities: st.SearchStrategy[dict[str, str]], properties: st.SearchStrategy[Any], keys: Sequence[str | None]
) -> st.SearchStrategy[Any]:
    events = st.fixed_dictionaries(
        {
            "event_name": st.sampled_from(["reach", "pay", "look"]),
            "identities": identities,
            "event_at": MOMENTS,
            "account_id": ACCOUNTS,
            "dedupe_key": st.sampled_from(keys),
            "properties": properties,
        }
    )
    calls = st.fixed_dictionaries(
        {
            "record_type": st.sampled_from(["identify", "group"]),
            "identities": identities,
            "event_at": MOMENTS,
            "account_id": ACCOUNTS,
            "properties": properties,
        }
    )
    return st.one_of(events, events, events, calls)


MESSAGES = messages(IDENTITIES, PROPERTIES, [None, None, None, "k1", "k2"])
SIDES = st.sampled_from([{ANONYMOUS_ID: "d1"}, {LOGIN_ID: "u1"}, {LOGIN_ID: "x"}, {"$identity_mobile": "138"}])
SENT = st.tuples(st.just("sent"), st.lists(MESSAGES, min_size=1, max_size=3))
HAPPENINGS = st.one_of(
    SENT,
    SENT,
    SENT,
    st.tuples(st.just("unbound"), SIDES),
    st.tuples(st.just("retracted"), st.tuples(SIDES, SIDES)),
    st.tuples(st.just("nonsense"), st.none()),
)
GAPS = st.sampled_from([1, 20, 400, 700])  # seconds; content counts as resent within 600
STREAMS = st.lists(st.tuples(GAPS, HAPPENINGS), min_size=1, max_size=8)
LATE_SENT = st.tuples(st.just("sent"), st.lists(messages(IDENTITIES, PLAIN_PROPERTIES, [None]), min_size=1, max_size=2))
LATE_STREAMS = st.lists(
    st.tuples(
        GAPS,
        st.one_of(
            LATE_SENT,
            LATE_SENT,
            LATE_SENT,
            st.tuples(st.just("unbound"), SIDES),
            st.tuples(st.just("retracted"), st.tuples(SIDES, SIDES)),
        ),
    ),
    min_size=1,
    max_size=8,
)


def timed(stream: list[Step]) -> Iterator[tuple[int, Request | Act]]:
    """When each record of a stream arrived, and what it was."""
    at_us = NOON_US
    for gap_s, (kind, what) in stream:
        at_us += gap_s * SECOND_US
        match kind:
            case "sent":
                yield at_us, native(*what)
            case "unbound":
                yield at_us, unbind(what)
            case "retracted":
                yield at_us, retraction(*what)
            case _:
                yield at_us, post("/events", b"no JSON")


@FEW
@given(STREAMS)
def test_many_small_loads_equal_one(stream: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        for at_us, entry in timed(stream):
            log.append(entry, at_us)
        once = contents(load_story(log))
        assert contents(load_story(log, load_max_bytes=400)) == once
        assert contents(_load_with_restarts(log)) == once


def _load_with_restarts(log: StoryLog) -> Warehouse:
    warehouse = new_warehouse(load_max_bytes=1000)
    while loader_of(warehouse, log).load_next():
        pass
    return warehouse


@FEW
@given(LATE_STREAMS, LATE_STREAMS)
def test_a_stream_that_comes_late_gives_what_a_replay_gives(early: list[Step], late: list[Step]) -> None:
    """The second collector's log becomes readable only after the first one's is loaded."""
    # Which of two equal messages in two streams counts as the resend is settled by which is loaded first.
    for number, (_, (kind, sent)) in enumerate([*early, *late]):
        for message in sent if kind == "sent" else ():
            message["sdk"] = f"unlike any other {number}"
    with TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        for at_us, entry in timed(early):
            log.append(entry, at_us, "collector-a")
        warehouse = new_warehouse()
        loader = loader_of(warehouse, log)
        loader.load_all()
        for at_us, entry in timed(late):
            log.append(entry, at_us, "collector-b")
            loader.load_all()
        assert contents(warehouse) == contents(load_story(log))


# Of each message that comes again and again: which stream brings it after how many seconds (a resend within the window
# of one that is itself a resend is settled by the order of loading), and when it becomes readable.
COPIES = st.lists(
    st.tuples(
        st.sampled_from([1, 20, 5000]),
        st.sampled_from(["a", "b"]),
        st.lists(st.integers(0, 5), min_size=1, max_size=3),
        st.integers(0, 3),
    ),
    min_size=2,
    max_size=10,
)


@FEW
@given(POOLS, COPIES, st.sampled_from([1, 3, 50]))
def test_resends_in_two_streams_count_as_in_a_rebuild(
    pool: list[tuple[Json, bool]], copies: list[tuple[int, str, list[int], int]], load_max_messages: int
) -> None:
    """Whichever copy is loaded first, the one that came first is the event, with a key and without one."""
    sent, at_us = messages_of(pool), NOON_US
    by_stream: dict[str, list[tuple[int, int, Request]]] = {"a": [], "b": []}
    for gap_s, stream, numbers, delay in copies:
        at_us += gap_s * SECOND_US
        readable = max(len(by_stream["a"]) + len(by_stream["b"]) + delay, *(each[0] for each in by_stream[stream]), 0)
        by_stream[stream].append((readable, at_us, native(*(sent[number % len(sent)] for number in numbers))))
    with TemporaryDirectory() as folder:
        log, warehouse = StoryLog(Path(folder)), new_warehouse(load_max_messages=load_max_messages)
        loader = loader_of(warehouse, log)
        told = [(*each, stream) for stream, found in by_stream.items() for each in found]
        for _, arrived_us, request, stream in sorted(told, key=lambda each: each[:2]):
            log.append(request, arrived_us, f"collector-{stream}")
            loader.load_next()
        loader.load_all()
        assert contents(warehouse) == contents(load_story(log))


def test_a_copy_that_comes_late_takes_the_place_of_its_resend(tmp_path: Path) -> None:
    log, keyed, plain = (
        StoryLog(tmp_path),
        {**event("reach", device("d1"), NOON), "dedupe_key": "k1"},
        event("pay", device("d1"), NOON),
    )
    log.append(native(keyed, plain), NOON_US + 30 * SECOND_US, "collector-b")
    warehouse = new_warehouse()
    loader = loader_of(warehouse, log)
    loader.load_all()
    log.append(native(keyed, plain), NOON_US, "collector-a")
    loader.load_all()
    log.append(native(keyed, plain), NOON_US + 60 * SECOND_US, "collector-a")
    loader.load_all()
    assert rows(warehouse, "select event_name, log_order like '%collector-a%' from events order by event_name") == [
        ("pay", True),
        ("reach", True),
    ]
    assert contents(warehouse) == contents(load_story(log))


def test_what_has_just_come_waits_for_earlier_records_of_other_streams(tmp_path: Path) -> None:
    log, clock, warehouse = StoryLog(tmp_path), FixedClock(NOON_US), new_warehouse(stream_hold_ms=200.0)
    loader = Loader(warehouse, log.folder, DecodeSettings(), clock=clock)
    log.append(native(event("first", device("d1"))), NOON_US - 300_000, "collector-a")
    log.append(native(event("third", device("d1"))), NOON_US, "collector-a")
    log.append(native(event("newer than the clock", device("d1"))), NOON_US + 3600 * SECOND_US, "collector-c")
    assert [report.messages for report in loader.load_all()] == [2]
    log.append(native(event("second", device("d1"))), NOON_US - 100_000, "collector-b")
    assert loader.load_next() is None
    clock.now_us += 250_000
    assert [report.messages for report in loader.load_all()] == [2]
    names = event_names(warehouse)
    assert names == ["first", "second", "third", "newer than the clock"]


def test_a_single_stream_waits_for_nobody(tmp_path: Path) -> None:
    log, warehouse = StoryLog(tmp_path), new_warehouse()
    log.tell(native(event("reach", device("d1"))))
    assert Loader(warehouse, log.folder, DecodeSettings(), clock=FixedClock(NOON_US)).load_next() is not None


@FEW
@given(STREAMS, st.lists(st.booleans(), min_size=8, max_size=8))
def test_refreshed_marts_equal_rebuilt_ones(stream: list[Step], refresh_after: list[bool]) -> None:
    with TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        warehouse = new_warehouse()
        loader = loader_of(warehouse, log)
        refresh_marts(warehouse, STAGES)
        for (at_us, entry), is_refreshed in zip(timed(stream), refresh_after, strict=False):
            log.append(entry, at_us)
            loader.load_all()
            if is_refreshed:
                refresh_marts(warehouse, STAGES)
        assert not refresh_marts(warehouse, STAGES).is_rebuild
        refreshed = contents(warehouse, MARTS)
        assert refresh_marts(warehouse, STAGES, rebuild=True).is_rebuild
        assert refreshed == contents(warehouse, MARTS)
