"""Sweeping: every file of a log that holds records from before a deletion is searched, and rewritten where it must be.

Which files are swept stands in `LOG/swept.json` with their size and time: a file that was restored is another one, and
is swept again. Where nothing was restored, looking costs a `stat` per file.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest.erasure.deletions import Deletion, fingerprint
from ingest.erasure.eraser import Eraser
from ingest.errors import LogInUse
from ingest.log.erasing import EraseStage, clear_remains, find_changes, write_changes
from ingest.log.files import LogFile, first_arrival_us, list_files, list_streams
from ingest.log.sealing import seal_stream

SWEPT_NAME = "swept.json"
_LOCK_NAME = "sweeping.lock"

Tell = Callable[[int], None]
"""Told how many bytes of the log were searched since the last time."""


class _Swept(msgspec.Struct):
    """Files by stream and number, each with its size and the nanoseconds of its last change, for these deletions."""

    deletions: str = ""
    files: dict[str, tuple[int, int]] = {}


@dataclass
class SweepReport:
    """How many files were searched, and how many of them written anew; files that were removed hold no records."""

    searched: int = 0
    rewritten: int = 0
    removed: int = 0


def sweep(
    log: Path,
    deletions: list[Deletion],
    eraser: Eraser,
    tell: Tell = lambda _byte_count: None,
    observe: Callable[[EraseStage], None] = lambda _stage: None,
) -> SweepReport:
    """Erase what the deletions say from every file that is not swept for them yet. Idempotent; killed, it is run again.

    Raises `LogInUse` when a collector does not let go of its file, or another sweep runs; OSError.
    """
    report = SweepReport()
    if not deletions:
        return report
    last_us, mark = max(each.until_us for each in deletions), fingerprint(deletions)
    with _alone(log):
        swept = _read_swept(log)
        known = swept.files if swept.deletions == mark else {}
        for stream in list_streams(log):
            report.removed += clear_remains(log / stream, eraser.is_about)
            if any(_is_due(each, last_us) for each in list_files(log / stream) if not each.is_sealed):
                seal_stream(log, stream)
                report.removed += clear_remains(log / stream, eraser.is_about)
            for log_file in list_files(log / stream):
                if not log_file.is_sealed or known.get(_name(log_file)) == _state(log_file):
                    continue
                if _is_due(log_file, last_us):
                    changes = find_changes(log_file, eraser.rest_of, eraser.is_about)
                    report.searched += 1
                    if changes:
                        write_changes(changes, observe)
                        report.rewritten += 1
                known[_name(log_file)] = _state(log_file)
                tell(log_file.path.stat().st_size)
        _write_swept(log, _Swept(mark, known))
    return report


def _is_due(log_file: LogFile, last_us: int) -> bool:
    """Whether a file holds anything that arrived until then."""
    arrived_us = first_arrival_us(log_file)
    return arrived_us is not None and arrived_us <= last_us


def _name(log_file: LogFile) -> str:
    return f"{log_file.stream}/{log_file.number}"


def _state(log_file: LogFile) -> tuple[int, int]:
    found = log_file.path.stat()
    return found.st_size, found.st_mtime_ns


def _read_swept(log: Path) -> _Swept:
    try:
        return msgspec.json.decode((log / SWEPT_NAME).read_bytes(), type=_Swept)
    except (OSError, msgspec.DecodeError):
        return _Swept()


def _write_swept(log: Path, swept: _Swept) -> None:
    beside = log / f".{SWEPT_NAME}"
    beside.write_bytes(msgspec.json.encode(swept))
    beside.replace(log / SWEPT_NAME)


@contextmanager
def _alone(log: Path) -> Iterator[None]:
    """One sweep at a time."""
    descriptor = os.open(log / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LogInUse(f"another process is erasing persons from {log}; try again when it is done") from error
        yield
    finally:
        os.close(descriptor)
