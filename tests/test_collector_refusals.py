"""Refusals and the real clients: the disk is really full, then there is room again; who still has its events?

The table in docs/sdk/refusals.md says the same; the Python clients are driven unmodified.
"""

import inspect
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import rudderstack.analytics
import segment.analytics
from sensorsanalytics.sdk import (
    AsyncBatchConsumer,
    BatchConsumer,
    DebugConsumer,
    DefaultConsumer,
    SensorsAnalytics,
    SensorsAnalyticsDebugException,
    SensorsAnalyticsNetworkException,
)

from tests.collector_process import CollectorProcess, collecting
from tests.small_disk import fill, small_disk
from tests.waiting import DEADLINE_S, until

DISK_BYTES = 4 << 20
MINI_PROGRAM = {"referer": "https://servicewechat.com/wx1234567890abcdef/12/page-frame.html"}


def long_text() -> str:
    """Text that does not fit into the rest of a page of the disk, packed or not."""
    return random.Random(0).randbytes(3000).hex()


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    folder = tmp_path_factory.mktemp("refusals")
    with (
        small_disk(folder / "disk", DISK_BYTES) as disk,
        collecting(disk, reserved_bytes=0, retry_after_s=1) as running,
    ):
        yield running


class FullDisk:
    """A collector whose disk is full and whose reserve, if it had one, is used up, until `make_room`."""

    def __init__(self, collector: CollectorProcess) -> None:
        self.collector = collector
        self._before = collector.event_names()
        self._filler = fill(collector.data)
        until(self._refuses, "the disk is full to the last byte")

    def names(self) -> Counter[str]:
        """The events that came to the log since, and how often."""
        return self.collector.event_names() - self._before

    def make_room(self) -> None:
        self._filler.unlink(missing_ok=True)
        until(lambda: httpx.get(f"{self.collector.url}/ready").status_code == 200, "the collector is ready again")

    def _refuses(self) -> bool:
        return httpx.post(f"{self.collector.url}/v1/batch", content=b'{"batch":[]}' + b" " * 5000).status_code == 429


@pytest.fixture
def full(collector: CollectorProcess) -> Iterator[FullDisk]:
    disk = FullDisk(collector)
    yield disk
    disk.make_room()


def sensors(consumer: Any) -> Callable[[str], None]:
    analytics = SensorsAnalytics(consumer)
    return lambda name: analytics.track("teacher-17", name, {"text": long_text()}, is_login_id=True)


def test_health_and_ready_tell_that_nothing_is_taken_and_why(full: FullDisk) -> None:
    answer = httpx.get(f"{full.collector.url}/ready")
    assert answer.status_code == 503
    told = full.collector.told()
    assert (told["status"], told["reserve"], told["stream"]) == ("refusing", "none", "collector")
    assert "No space left on device" in told["problem"]
    assert told["refused"]["disk_full"] > 0
    full.make_room()
    assert (full.collector.told()["status"], full.collector.told()["problem"]) == ("ok", None)


def test_sensors_python_one_by_one_raises_and_the_application_may_send_again(full: FullDisk) -> None:
    track = sensors(DefaultConsumer(f"{full.collector.url}/sa"))
    with pytest.raises(SensorsAnalyticsNetworkException):
        track("Refused")
    full.make_room()
    track("Taken")
    assert full.names() == {"Taken": 1}


def test_sensors_python_batch_keeps_its_events_for_the_next_flush(full: FullDisk) -> None:
    consumer = BatchConsumer(f"{full.collector.url}/sa")
    track = sensors(consumer)
    for number in range(5):
        track(f"Event{number}")
    with pytest.raises(SensorsAnalyticsNetworkException):
        consumer.flush()
    full.make_room()
    consumer.flush()
    assert full.names() == {f"Event{number}": 1 for number in range(5)}


@pytest.mark.filterwarnings("ignore:isSet:DeprecationWarning", "ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_sensors_python_async_falls_silent_at_its_first_refusal(full: FullDisk) -> None:
    consumer = AsyncBatchConsumer(f"{full.collector.url}/sa", flush_max_time=1)
    thread: threading.Thread = consumer._flushing_thread
    track = sensors(consumer)
    track("Refused")
    consumer.flush()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    full.make_room()
    track("Later")
    assert full.names() == {}
    consumer.sync_flush()  # what a restart loses is still in its memory
    consumer.sync_flush()
    assert full.names() == {"Refused": 1, "Later": 1}


def test_sensors_python_debug_raises(full: FullDisk, capsys: pytest.CaptureFixture[str]) -> None:
    track = sensors(DebugConsumer(f"{full.collector.url}/sa"))
    with pytest.raises(SensorsAnalyticsDebugException):
        track("Refused")
    assert "ret_code: 503" in capsys.readouterr().out
    full.make_room()
    track("Taken")
    assert full.names() == {"Taken": 1}


@pytest.mark.parametrize("sdk", [segment.analytics, rudderstack.analytics], ids=["segment", "rudderstack"])
def test_segment_and_rudderstack_python_wait_and_lose_nothing(full: FullDisk, sdk: Any) -> None:
    errors = list[Exception]()
    place = {"host": full.collector.url} | (
        {"dataPlaneUrl": full.collector.url} if sdk is rudderstack.analytics else {}
    )
    client = sdk.Client("key", on_error=lambda error, _items: errors.append(error), **_accepted(sdk.Client, place))
    for number in range(20):
        client.track(user_id="teacher-17", event=f"Event{number}", properties={"text": long_text()})
    refused = full.collector.told()["refused"]["disk_full"]
    until(lambda: full.collector.told()["refused"]["disk_full"] > refused, "the client was refused")
    full.make_room()
    until(lambda: len(full.names()) == 20, "all events arrive")
    client.join()
    assert full.names() == {f"Event{number}": 1 for number in range(20)}
    assert errors == []


def _accepted(client: type, place: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in place.items() if name in inspect.signature(client).parameters}


def test_mini_program_is_hung_up_on_because_any_answer_would_count_as_success(full: FullDisk) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{full.collector.url}/sa", content=b"data_list=" + b"x" * 5000, headers=MINI_PROGRAM)
    assert httpx.post(f"{full.collector.url}/sa", content=b"data_list=" + b"x" * 5000).status_code == 503
    full.make_room()
    assert httpx.post(f"{full.collector.url}/sa", content=b"data_list=", headers=MINI_PROGRAM).status_code == 200


@pytest.mark.filterwarnings("ignore:isSet:DeprecationWarning")
def test_reserve_keeps_the_async_client_alive_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk, collecting(disk, reserved_bytes=1 << 20) as collector:
        fill(disk)
        consumer = AsyncBatchConsumer(f"{collector.url}/sa", flush_max_time=1)
        track = sensors(consumer)
        for number in range(60):
            track(f"Event{number}")
        consumer.close()
        assert collector.told()["status"] == "short_of_space"
        assert collector.event_names() == Counter(f"Event{number}" for number in range(60))
