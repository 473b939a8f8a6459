"""The log: what was acknowledged is there after a crash at any byte, in order, once."""

import errno
import os
import threading
from asyncio import ensure_future, gather, run, sleep
from collections import Counter
from pathlib import Path

import pytest

from ingest.errors import LogInUse, LogUnavailable
from ingest.log.files import list_files, list_streams, read_records
from ingest.log.frame_file import FrameFile
from ingest.log.repair import survey_file
from ingest.log.writer import LogWriter, WriteStage
from ingest.record import Act, Position, Record, Request
from tests.stories import NOON_US, FixedClock, post
from tests.waiting import DEADLINE_S

EVERYTHING = 1 << 30


def request(name: str) -> Request:
    return post("/events", name.encode())


def read_on(
    log: Path, file: int = 0, offset: int = 0, max_bytes: int = EVERYTHING
) -> list[tuple[Position, int, Record]]:
    """What stands behind a place, in a log that nothing happened to."""
    found = list[tuple[Position, int, Record]]()
    for position, end, what in read_records(log, "collector", file, offset, max_bytes):
        assert isinstance(what, Record), what
        found.append((position, end, what))
    return found


def read_back(log: Path) -> list[Record]:
    return [record for _, _, record in read_on(log)]


def bodies(log: Path) -> list[str]:
    return [record.request.body.decode() for record in read_back(log) if record.request is not None]


def files(log: Path) -> list[str]:
    return sorted(path.name for path in (log / "collector").iterdir() if path.name not in ("lock", "secret"))


def write(log: Path, *names: str, clock: FixedClock | None = None, max_file_bytes: int = 64 << 20) -> list[Position]:
    """A collector starts, takes these requests and stops."""
    writer = LogWriter(log, "collector", clock_us=clock or FixedClock(), max_file_bytes=max_file_bytes)
    positions = [writer.append(request(name)) for name in names]
    writer.close()
    return positions


# Append and read


def test_what_is_appended_is_read_back_where_it_was_put(tmp_path: Path) -> None:
    act = Act("retract_link", "head office", {"why": "two children, one tablet"})
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock())
    entries: list[Request | Act] = [Request("GET", "/sa", "data=x", {"origin": "o"}, "::1", b""), act]
    positions = [writer.append(entry) for entry in entries]
    found = read_on(tmp_path)
    assert [(position, record.request or record.act) for position, _, record in found] == list(
        zip(positions, entries, strict=True)
    )
    assert positions[0].file == positions[1].file == 1
    assert positions[0].offset < positions[1].offset
    writer.close()
    assert read_on(tmp_path) == found
    assert list_streams(tmp_path) == ["collector"]


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    write(tmp_path, *"abcde", max_file_bytes=200)
    seen, file, offset = list[str](), 0, 0
    while found := read_on(tmp_path, file, offset, max_bytes=1):
        [(position, offset, record)] = found
        file = position.file
        assert record.request is not None
        seen.append(record.request.body.decode())
    assert seen == list("abcde")


def test_arrival_grows_strictly_while_the_clock_stands_still_or_jumps_back(tmp_path: Path) -> None:
    clock = FixedClock()
    write(tmp_path, "a", "b", clock=clock)
    clock.now_us -= 3_600_000_000  # an hour back, over a restart
    write(tmp_path, "c", clock=clock)
    clock.now_us = NOON_US + 60_000_000
    write(tmp_path, "d", clock=clock)
    arrivals = [record.received_at_us - NOON_US for record in read_back(tmp_path)]
    assert arrivals == [0, 1, 2, 60_000_000]


def test_files_are_sealed_when_full_and_nothing_is_lost_between_them(tmp_path: Path) -> None:
    positions = write(tmp_path, *"abcdef", max_file_bytes=100)
    assert bodies(tmp_path) == list("abcdef")
    assert positions[-1].file > 2
    assert files(tmp_path) == [f"{number:012d}.log" for number in range(1, positions[-1].file + 1)]
    surveys = [survey_file(log_file.path) for log_file in list_files(tmp_path / "collector")]
    assert all(survey.is_sealed and not survey.torn_bytes for survey in surveys)
    assert sum(survey.record_count for survey in surveys) == 6


def test_closing_twice_is_safe_and_a_closed_stream_refuses(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock())
    writer.close()
    writer.close()
    with pytest.raises(LogUnavailable, match="'collector' is closed"):
        writer.append(request("late"))


def test_second_writer_of_a_stream_is_refused(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock())
    with pytest.raises(LogInUse, match="another process"):
        LogWriter(tmp_path, "collector", clock_us=FixedClock())
    LogWriter(tmp_path, "acts", clock_us=FixedClock()).close()
    writer.close()
    write(tmp_path, "next")
    assert bodies(tmp_path) == ["next"]


# Crashes


def test_crash_at_every_byte_keeps_whole_records_and_the_torn_rest_aside(tmp_path: Path) -> None:
    """Power is cut while three records are being written: at each byte of the file in turn."""
    first = tmp_path / "whole"
    writer = LogWriter(first, "collector", clock_us=FixedClock())
    for name in ("before", "middle", "after"):
        writer.append(request(name))
    whole = (first / "collector" / "000000000001.open").read_bytes()
    writer.close()
    with FrameFile(first / "collector" / "000000000001.log") as file:
        ends = [found.end for found in file.frames()][:-1]
    assert ends[-1] == len(whole)

    for cut in range(len(whole) + 1):
        log = tmp_path / f"cut-{cut}"
        (log / "collector").mkdir(parents=True)
        (log / "collector" / "000000000001.open").write_bytes(whole[:cut])
        # The clock of the host that comes back is an hour slow.
        write(log, "next", clock=FixedClock(NOON_US - 3_600_000_000))

        kept = [end for end in ends if end <= cut]
        end = kept[-1] if kept else 0
        names = ["before", "middle", "after"][: max(len(kept) - 1, 0)]
        assert bodies(log) == [*names, "next"]
        arrivals = [record.received_at_us for record in read_back(log)]
        assert arrivals == sorted(set(arrivals))
        torn = log / "collector" / "000000000001.torn"
        assert (torn.read_bytes() if torn.exists() else b"") == whole[end:cut]
        assert [name for name in files(log) if name != torn.name] == ["000000000001.log", "000000000002.log"]


def test_crash_before_a_first_byte_keeps_the_arrivals_of_earlier_files_growing(tmp_path: Path) -> None:
    write(tmp_path, "a")
    (tmp_path / "collector" / "000000000002.open").write_bytes(b"")
    write(tmp_path, "b", clock=FixedClock(NOON_US - 1))
    assert [record.received_at_us - NOON_US for record in read_back(tmp_path)] == [0, 1]
    assert bodies(tmp_path) == ["a", "b"]


def test_crash_while_sealing_leaves_a_file_that_the_next_start_seals(tmp_path: Path) -> None:
    write(tmp_path, "a")
    sealed = tmp_path / "collector" / "000000000001.log"
    sealed.rename(sealed.with_suffix(".open"))  # the seal was written, the rename was not
    write(tmp_path, "b")
    assert bodies(tmp_path) == ["a", "b"]
    assert files(tmp_path) == ["000000000001.log", "000000000002.log"]


# Failing disks


@pytest.mark.parametrize("broken", ["os.pwrite", "_sync_data"])
def test_failed_write_refuses_the_waiting_and_leaves_nothing_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The disk is full for one request: its sender is told so, and comes again."""
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock())
    writer.append(request("kept"))
    real_write = os.pwrite
    with monkeypatch.context() as disk:

        def fail(*_args: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def write_half(descriptor: int, data: bytes, offset: int) -> int:
            if len(data) < 40:
                return fail()
            return real_write(descriptor, data[: len(data) // 2], offset)

        disk.setattr(f"ingest.log.open_file.{broken}", write_half if broken == "os.pwrite" else fail)
        with pytest.raises(LogUnavailable, match="No space left on device"):
            writer.append(request("refused"))
        with pytest.raises(LogUnavailable):
            writer.append(request("refused again"))
    assert writer.append(request("resent")).file > 1
    assert bodies(tmp_path) == ["kept", "resent"]
    writer.close()
    assert bodies(tmp_path) == ["kept", "resent"]
    write(tmp_path, "after a restart")
    assert bodies(tmp_path) == ["kept", "resent", "after a restart"]


def test_reader_that_saw_a_refused_record_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader reads what is written but not yet synced; then the sync fails."""
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock())
    writer.append(request("kept"))
    seen = list[tuple[Position, int, Record]]()

    def read_then_fail(_descriptor: int) -> None:
        seen.extend(read_on(tmp_path))
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as disk:
        disk.setattr("ingest.log.open_file._sync_data", read_then_fail)
        with pytest.raises(LogUnavailable):
            writer.append(request("refused"))
    assert bodies(tmp_path) == ["kept"]
    position, offset, record = seen[-1]
    assert record.request == request("refused")
    assert read_on(tmp_path, position.file, offset) == []
    writer.append(request("resent"))
    writer.close()
    assert [record.request for _, _, record in read_on(tmp_path, position.file, offset)] == [request("resent")]


def test_disk_that_fails_while_a_file_is_sealed_costs_no_acknowledged_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock(), max_file_bytes=1)
    writer.append(request("a"))
    with monkeypatch.context() as disk:

        def fail(_folder: Path) -> None:
            raise OSError(errno.EIO, "I/O error")

        disk.setattr("ingest.log.open_file.sync_folder", fail)
        with pytest.raises(LogUnavailable):
            writer.append(request("b"))
        with pytest.raises(LogUnavailable):
            writer.append(request("c"))
    writer.append(request("d"))
    writer.close()
    assert bodies(tmp_path) == ["a", "d"]


def test_stopping_on_a_broken_disk_leaves_a_log_that_the_next_start_repairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock())
    writer.append(request("kept"))
    with monkeypatch.context() as disk:

        def fail(_descriptor: int) -> None:
            raise OSError(errno.EIO, "I/O error")

        disk.setattr("ingest.log.open_file._sync_data", fail)
        with pytest.raises(LogUnavailable):
            writer.append(request("refused"))
        writer.close()
    write(tmp_path, "next")
    assert "kept" in bodies(tmp_path)
    assert bodies(tmp_path)[-1] == "next"


# Group commit


def test_many_senders_share_a_sync(tmp_path: Path) -> None:
    """While one batch is held at the disk forty more requests come: they all go out in the next batch."""
    stages, first_is_written, may_sync = list[WriteStage](), threading.Event(), threading.Event()

    def observe(stage: WriteStage) -> None:
        stages.append(stage)
        if stages == ["written"]:
            first_is_written.set()
            may_sync.wait(DEADLINE_S)

    async def send() -> list[Position]:
        first = ensure_future(writer.append_async(request("0")))
        await sleep(0)  # the requests are in the queue when their senders first wait
        first_is_written.wait(DEADLINE_S)
        others = [ensure_future(writer.append_async(request(str(number)))) for number in range(1, 41)]
        await sleep(0)
        assert not first.done()
        may_sync.set()
        return await gather(first, *others)

    writer = LogWriter(tmp_path, "collector", clock_us=FixedClock(), observe=observe)
    positions = run(send())
    writer.close()
    assert Counter(stages) == {"written": 2, "synced": 2}
    found = {position: record.request for position, _, record in read_on(tmp_path)}
    assert [found[position] for position in positions] == [request(str(number)) for number in range(41)]
