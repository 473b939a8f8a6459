"""The log writer under pressure: a full disk, a folder that is gone, a backlog, a memory limit, a loop that ended.

Each time: what was acknowledged is in the log, once, what was refused is not, and it goes on without a restart.
"""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import LogUnavailable, RefusalReason
from ingest.log.files import read_records
from ingest.log.loaded import LoadedMark, measure_backlog_bytes, read_loaded, write_loaded
from ingest.log.reserve import RESERVE_NAME
from ingest.log.status import WriterLimits
from ingest.log.writer import LogWriter, WriteStage
from ingest.record import Record, Request
from tests.small_disk import fill, small_disk
from tests.stories import FixedClock, post
from tests.waiting import DEADLINE_S, until

DISK_BYTES = 1 << 20
RESERVED = WriterLimits(reserved_bytes=256 << 10)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


@pytest.fixture(autouse=True)
def _tended_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.log.writer.TEND_EVERY_S", 0.02)


def request(name: str, size: int = 4000) -> Request:
    return post("/events", name.encode().ljust(size))


def bodies(log: Path) -> list[str]:
    """What the log holds, in its order."""
    entries = [entry for _, _, entry in read_records(log, "collector", 0, 0, 1 << 30)]
    records = [entry for entry in entries if isinstance(entry, Record)]
    assert len(records) == len(entries), "damage"
    arrivals = [record.received_at_us for record in records]
    assert arrivals == sorted(set(arrivals))
    return [record.request.body.decode().rstrip() for record in records if record.request is not None]


class Sender:
    """Sends numbered requests and remembers which were acknowledged."""

    def __init__(self, writer: LogWriter) -> None:
        self.writer = writer
        self.acknowledged = list[str]()
        self.refused = list[RefusalReason]()

    def send(self, size: int = 4000) -> bool:
        name = f"request {len(self.acknowledged) + len(self.refused)}"
        try:
            self.writer.append(request(name, size))
        except LogUnavailable as refusal:
            self.refused.append(refusal.reason)
            return False
        self.acknowledged.append(name)
        return True


# A full disk


def test_reserve_takes_what_a_full_disk_does_not_and_is_filled_again(disk: Path) -> None:
    writer = LogWriter(disk, "collector", clock_us=FixedClock(), limits=RESERVED)
    assert (writer.status().state, writer.status().reserve) == ("ok", "whole")
    assert (disk / "collector" / RESERVE_NAME).stat().st_size == RESERVED.reserved_bytes
    sender, filler = Sender(writer), fill(disk)
    assert all(sender.send() for _ in range(30))
    status = writer.status()
    assert (status.state, status.reserve, status.is_ready) == ("short_of_space", "in use", True)
    assert status.problem == f"the disk is full; {status.reserve_held_bytes} of 262144 reserved bytes are left"
    assert 0 < status.reserve_held_bytes <= RESERVED.reserved_bytes - 30 * 4000
    filler.unlink()
    until(lambda: writer.status().reserve == "whole", "the reserve is whole")
    assert (writer.status().state, writer.status().problem) == ("ok", None)
    writer.close()
    assert bodies(disk) == sender.acknowledged


@pytest.mark.parametrize("max_file_bytes", [64 << 20, 20_000], ids=["one file", "a new file every few requests"])
def test_disk_full_to_the_last_byte_refuses_and_then_takes_again(disk: Path, max_file_bytes: int) -> None:
    writer = LogWriter(disk, "collector", clock_us=FixedClock(), limits=RESERVED, max_file_bytes=max_file_bytes)
    sender, filler = Sender(writer), fill(disk)
    while sender.send():
        pass
    assert len(sender.acknowledged) > 30, "the reserve was used"
    assert not sender.send()
    assert set(sender.refused) == {"disk_full"}
    status = writer.status()
    assert (status.state, status.reserve, status.is_ready) == ("refusing", "used up", False)
    assert status.problem is not None
    assert "No space left on device" in status.problem
    assert status.refused == {"disk_full": 2}
    filler.unlink()
    until(lambda: writer.status().state == "ok", "the log is well")
    assert all(sender.send() for _ in range(3))
    assert bodies(disk) == sender.acknowledged
    writer.close()
    assert bodies(disk) == sender.acknowledged


def test_start_on_a_full_disk_uses_the_reserve_of_the_last_run(disk: Path) -> None:
    writer = LogWriter(disk, "collector", clock_us=FixedClock(), limits=RESERVED)
    sender = Sender(writer)
    sender.send()
    writer.close()
    fill(disk)
    sender.writer = LogWriter(disk, "collector", clock_us=FixedClock(), limits=RESERVED)
    assert all(sender.send() for _ in range(10))
    assert sender.writer.status().state == "short_of_space"
    sender.writer.close()
    assert bodies(disk) == sender.acknowledged


def test_start_on_a_full_disk_without_reserve_waits_for_room(disk: Path) -> None:
    Sender(LogWriter(disk, "collector", clock_us=FixedClock())).writer.close()
    filler = fill(disk)
    sender = Sender(LogWriter(disk, "collector", clock_us=FixedClock()))
    assert not sender.send()
    filler.unlink()
    until(lambda: sender.writer.status().is_ready, "it is ready")
    assert sender.send()
    sender.writer.close()
    assert bodies(disk) == sender.acknowledged


# A folder that cannot be written


def test_folder_that_is_moved_away_refuses_until_it_is_back(tmp_path: Path) -> None:
    sender = Sender(LogWriter(tmp_path / "log", "collector", clock_us=FixedClock()))
    sender.send()
    (tmp_path / "log" / "collector").rename(tmp_path / "elsewhere")
    assert not sender.send()
    assert not sender.send()
    (tmp_path / "elsewhere").rename(tmp_path / "log" / "collector")
    until(lambda: sender.writer.status().is_ready, "it is ready")
    assert sender.send()
    sender.writer.close()
    assert bodies(tmp_path / "log") == sender.acknowledged
    assert sender.refused == ["log_unwritable", "log_unwritable"]


def test_read_only_folder_refuses_what_needs_a_new_file_until_it_is_writable(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        sender = Sender(LogWriter(disk, "collector", clock_us=FixedClock(), max_file_bytes=1))
        sender.send()
        folder = str(disk / "collector")
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        assert not sender.send()
        problem = sender.writer.status().problem
        assert problem is not None
        assert problem == "the log stream 'collector' cannot be written: Read-only file system"
        subprocess.run(["umount", folder], check=True)
        until(lambda: sender.writer.status().is_ready, "it is ready")
        assert sender.send()
        sender.writer.close()
        assert bodies(disk) == sender.acknowledged


# Backlog


def test_backlog_over_its_limit_refuses_until_the_server_has_caught_up(tmp_path: Path) -> None:
    limits = WriterLimits(max_backlog_bytes=20_000)
    sender = Sender(LogWriter(tmp_path, "collector", clock_us=FixedClock(), limits=limits))
    while sender.send():
        pass
    assert len(sender.acknowledged) == 5
    assert sender.refused == ["backlog_full"]
    problem = sender.writer.status().problem
    assert problem is not None
    assert "are not loaded yet, more than 20000; is the server running?" in problem
    write_loaded(tmp_path, {"collector": (1, measure_backlog_bytes(tmp_path))})
    until(lambda: sender.writer.status().is_ready, "it is ready")
    assert sender.writer.status().backlog_bytes == 0
    assert sender.send()
    sender.writer.close()
    assert bodies(tmp_path) == sender.acknowledged


def test_backlog_is_already_known_at_the_start(tmp_path: Path) -> None:
    sender = Sender(LogWriter(tmp_path, "collector", clock_us=FixedClock()))
    sender.send()
    sender.writer.close()
    sender.writer = LogWriter(tmp_path, "collector-2", clock_us=FixedClock(), limits=WriterLimits(max_backlog_bytes=99))
    assert not sender.send()
    sender.writer.close()


def test_what_was_loaded_once_stays_loaded_while_a_warehouse_is_rebuilt(tmp_path: Path) -> None:
    assert read_loaded(tmp_path) == {}
    write_loaded(tmp_path, {"collector": (3, 100), "operator": (1, 5)})
    write_loaded(tmp_path, {"collector": (2, 900), "operator": (1, 7)})
    assert read_loaded(tmp_path) == {"collector": LoadedMark(3, 100), "operator": LoadedMark(1, 7)}
    (tmp_path / "loaded.json").write_text("{")
    assert read_loaded(tmp_path) == {}


# Waiting


class HeldWriter:
    """A writer whose disk takes its time: each batch waits until `go`."""

    def __init__(self, log: Path, limits: WriterLimits) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.writer = LogWriter(log, "collector", clock_us=FixedClock(), limits=limits, observe=self._observe)

    def _observe(self, stage: WriteStage) -> None:
        if stage == "written":
            self.begun.set()
            assert self.go.wait(DEADLINE_S)

    def hold_one(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[object]":
        task = loop.create_task(self.writer.append_async(request("held")))
        loop.run_until_complete(asyncio.sleep(0))
        assert self.begun.wait(DEADLINE_S)
        return task


def test_requests_that_wait_for_a_slow_disk_take_bounded_memory(tmp_path: Path) -> None:
    held = HeldWriter(tmp_path, WriterLimits(max_waiting_bytes=9000))

    async def send() -> list[object]:
        first = asyncio.create_task(held.writer.append_async(request("first")))
        await asyncio.sleep(0)
        await asyncio.to_thread(held.begun.wait, DEADLINE_S)
        others = [asyncio.create_task(held.writer.append_async(request(f"other {number}"))) for number in range(5)]
        await asyncio.sleep(0)
        held.go.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    outcomes = asyncio.run(send())
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, LogUnavailable)]
    assert reasons == ["memory_full"] * 3  # the first counts until it is on the disk
    assert held.writer.status().refused == {"memory_full": 3}
    assert held.writer.waiting_bytes == 0
    held.writer.close()
    assert bodies(tmp_path) == ["first", "other 0", "other 1"]


def test_sender_that_gave_up_waiting_is_written_all_the_same(tmp_path: Path) -> None:
    held = HeldWriter(tmp_path, WriterLimits())

    async def send() -> None:
        waiting = asyncio.create_task(held.writer.append_async(request("gave up")))
        await asyncio.sleep(0)
        waiting.cancel()
        held.go.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await held.writer.append_async(request("next"))

    asyncio.run(send())
    held.writer.close()
    assert bodies(tmp_path) == ["gave up", "next"]


def test_loop_that_ended_while_its_request_waited_does_not_end_the_writer(tmp_path: Path) -> None:
    held = HeldWriter(tmp_path, WriterLimits())
    loop = asyncio.new_event_loop()
    task = held.hold_one(loop)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    held.go.set()
    held.writer.append(request("next"))
    held.writer.close()
    assert bodies(tmp_path) == ["held", "next"]


def test_group_commit_wait_gathers_what_comes_one_after_the_other(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock(), limits=WriterLimits(group_commit_wait_s=0.2))

    async def send() -> None:
        first = asyncio.create_task(writer.append_async(request("first")))
        await asyncio.sleep(0.02)  # time enough to be written by itself, were it not for the wait
        await asyncio.gather(first, writer.append_async(request("second")))

    asyncio.run(send())
    status = writer.status()
    assert (status.requests_written, status.batches_written, status.last_batch_requests) == (2, 1, 2)
    assert 0 < status.last_sync_s <= status.sync_s
    writer.close()
