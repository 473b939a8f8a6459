"""Repair: what a crash left of a log file is made whole again at the writer's next start.

Only what was never acknowledged is cut off, and kept beside the file. Damage before whole frames stays where it is, for
readers to report.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest.log.files import RECORD_KINDS, SEALED_SUFFIX, TORN_SUFFIX, Seal, arrival_us, sync_folder
from ingest.log.frame import FrameKind, encode_frame
from ingest.log.frame_file import Broken, FrameFile
from ingest.log.marker import make_marker

logger = logging.getLogger("onepath.log")

# An opening is on disk before anything is written behind it: without a whole frame, a longer file was not torn.
_MAX_TORN_OPENING_BYTES = 1024


@dataclass(frozen=True)
class Survey:
    """What a whole log file holds: records, the last arrival, where its last whole frame ends.

    `damaged_bytes` are broken ones before that end. `marker` is None when no frame can be told.
    """

    record_count: int
    last_received_at_us: int
    end: int
    size: int
    is_sealed: bool
    damaged_bytes: int
    marker: bytes | None

    @property
    def torn_bytes(self) -> int:
        return self.size - self.end


def survey_file(path: Path) -> Survey:
    """Read every frame of a file once. Raises `LogUnreadable` when that is refused."""
    count, last, end, damaged, sealed = 0, 0, 0, 0, False
    with FrameFile(path) as file:
        for found in file.frames():
            if isinstance(found, Broken):
                damaged += found.end - found.offset if found.following else 0
                continue
            end, sealed = found.end, found.kind is FrameKind.SEAL
            count += found.kind in RECORD_KINDS
            last = max(last, arrival_us(found))
        return Survey(count, last, end, file.size, sealed, damaged, file.marker)


def repair_tail(path: Path) -> Survey:
    """Cut an unfinished write off the end of an open file, keeping its bytes beside it, and seal the file.

    What is cut was never acknowledged: an answer is given only after the whole frame is on disk.
    """
    survey = survey_file(path)
    if survey.damaged_bytes:
        logger.error("%s has %d damaged bytes; they stay, and readers report them", path, survey.damaged_bytes)
    if survey.marker is None and survey.size > _MAX_TORN_OPENING_BYTES:
        logger.error("%s is damaged from its first byte on, and is left as it is", path)
    else:
        _cut_and_seal(path, survey)
    path.rename(path.with_suffix(SEALED_SUFFIX))
    sync_folder(path.parent)
    return survey


def _cut_and_seal(path: Path, survey: Survey) -> None:
    with path.open("r+b") as file:
        if survey.torn_bytes:
            logger.warning("%s ends in %d bytes of an unfinished write; they are set aside", path, survey.torn_bytes)
            file.seek(survey.end)
            path.with_suffix(TORN_SUFFIX).write_bytes(file.read())
            file.truncate(survey.end)
        if not survey.is_sealed:
            file.seek(survey.end)
            seal = Seal(survey.record_count, survey.last_received_at_us)
            marker = survey.marker or make_marker(path.parent, int(path.stem))
            file.write(encode_frame(FrameKind.SEAL, msgspec.msgpack.encode(seal), marker))
        file.flush()
        os.fsync(file.fileno())
