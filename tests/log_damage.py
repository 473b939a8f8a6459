"""Damage to small logs, and a slow obvious oracle of what must still be read from them.

`damage_cases(seed, count)` wounds a log of several files over and over and checks each time; it returns counts.
"""

import hashlib
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec.structs import replace

from ingest.log.files import FILE_END, Entry, entry_bytes, read_records
from ingest.log.frame import FrameKind, encode_frame
from ingest.log.frame_file import Broken, FrameFile
from ingest.log.writer import LogWriter
from ingest.record import Act, Damage, Position, Record, Request, encode_record
from tests.stories import NOON_US, FixedClock

STREAM = "collector"
FIRST_OPEN, FIRST_SEALED = "000000000001.open", "000000000001.log"
EVERYTHING = 1 << 40


class Wound(NamedTuple):
    """What happens to a file: `length` bytes at `at` (both taken modulo what is there) are changed."""

    kind: Literal["flip", "zero", "cut", "remove", "insert"]
    file: int
    at: int
    length: int

    def inflict(self, data: bytes) -> bytes:
        """The file's bytes afterwards."""
        at = self.at % (len(data) + 1)
        end = min(at + self.length, len(data))
        if self.kind == "cut":
            return data[:at]
        middle = {
            "flip": bytes(byte ^ 0x40 for byte in data[at:end]),
            "zero": bytes(end - at),
            "remove": b"",
            "insert": b"\x02" * self.length + data[at:end],
        }
        return data[:at] + middle[self.kind] + data[end:]


@dataclass(frozen=True)
class WholeLog:
    """A log before anything happened to it: the bytes of its files, and of each frame in them."""

    files: dict[str, bytes]
    frames: dict[str, list[bytes]]

    @classmethod
    def of(cls, folder: Path) -> "WholeLog":
        files = {path.name: path.read_bytes() for path in sorted((folder / STREAM).iterdir())}
        frames = dict[str, list[bytes]]()
        for name in files:
            if name.endswith((".log", ".open")):
                with FrameFile(folder / STREAM / name) as file:
                    found = list(file.frames())
                assert not any(isinstance(each, Broken) for each in found)
                frames[name] = [files[name][each.offset : each.end] for each in found]
        return cls(files, frames)

    def wounded(self, folder: Path, wounds: list[Wound]) -> dict[str, bytes]:
        """Write the log into a folder with these wounds; returns the log files' bytes."""
        files, names = dict(self.files), list(self.frames)
        for wound in wounds:
            name = names[wound.file % len(names)]
            files[name] = wound.inflict(files[name])
        (folder / STREAM).mkdir(parents=True)
        for name, data in files.items():
            (folder / STREAM / name).write_bytes(data)
        return {name: files[name] for name in names}


def write_log(folder: Path) -> WholeLog:
    """Three sealed files and an open one: requests, an act, bodies full of frames that a sender made up."""
    writer = LogWriter(folder, STREAM, clock_us=FixedClock(), max_file_bytes=700)
    forged = encode_record(Record(NOON_US, None, Act("delete_everything", "a sender", {})))
    frame = encode_frame(FrameKind.RECORD, forged, b"guessed?")
    bodies = [b"{}", frame, frame * 4, b"\x02\x02" * 60, b"", frame[:40], bytes(100), frame + b"x" * 30 + frame]
    for number in range(18):
        body = bodies[number % len(bodies)]
        writer.append(Request("POST", "/events", "", {}, "::1", b"%d" % number + body))
    writer.append(Act("retract_link", "head office", {"why": "one tablet"}))
    whole = WholeLog.of(folder)
    writer.close()
    assert sorted(name.partition(".")[2] for name in whole.frames) == ["log", "log", "log", "open"]
    return whole


def read_all(log: Path) -> list[Entry]:
    """The stream in one go."""
    return list(_in_time(read_records(log, STREAM, 0, 0, EVERYTHING)))


def read_in_steps(log: Path) -> list[Entry]:
    """The stream entry by entry, as by a reader that starts anew each time until there is nothing new."""

    def steps() -> Iterator[Entry]:
        file, offset = 0, 0
        while entry := next(read_records(log, STREAM, file, offset, 1), None):
            yield entry
            file, offset = entry[0].file, entry[1]

    return list(_in_time(steps()))


def _in_time(entries: Iterator[Entry]) -> Iterator[Entry]:
    """As the loader does: damage came no earlier than what was read before it."""
    arrived_us = 0
    for position, end, what in entries:
        arrived_us = max(arrived_us, what.received_at_us)
        yield position, end, replace(what, received_at_us=arrived_us) if isinstance(what, Damage) else what


def check_wounds(whole: WholeLog, wounds: list[Wound], folder: Path) -> Counter[str]:
    """Wound a copy of the log and compare what is read with what the oracle says; returns counts of what was seen.

    The oracle: a record is kept exactly when all bytes of its frame still stand somewhere in its file.
    """
    files = whole.wounded(folder, wounds)
    kept = [frame for name, frames in whole.frames.items() for frame in frames if frame in files[name]]
    entries = read_all(folder)
    found = [encode_record(what) for _, _, what in entries if isinstance(what, Record)]
    assert found == [frame[18:] for frame in kept if frame[5] == FrameKind.RECORD], wounds
    assert read_in_steps(folder) == entries, wounds
    for name, data in files.items():
        _check_account(whole, name, data, [entry for entry in entries if entry[0].file == int(name[:12])])
    _check_restart(folder, entries)
    damages = sum(isinstance(what, Damage) for _, _, what in entries)
    records = sum(frame[5] == FrameKind.RECORD for frames in whole.frames.values() for frame in frames)
    return Counter(cases=1, kept=len(found), lost=records - len(found), damages=damages)


def _check_account(whole: WholeLog, name: str, data: bytes, entries: list[Entry]) -> None:
    """Each byte of a file belongs to a record, a damage, or the frames around them; an open end may still grow."""
    others = sum(len(frame) for frame in whole.frames[name] if frame[5] != FrameKind.RECORD and frame in data)
    told = others + sum(map(entry_bytes, entries))
    is_hurt = data != whole.files[name]
    if name.endswith(".log"):
        assert told == len(data), (name, entries)
        assert is_hurt == any(isinstance(what, Damage) for _, _, what in entries), (name, entries)
    else:
        assert told <= len(data), (name, entries)
    for position, end, what in entries:
        if isinstance(what, Damage):
            assert what.sha256 == hashlib.sha256(data[position.offset :][: what.length]).hexdigest()
            assert end in (position.offset + what.length, FILE_END)


def _check_restart(folder: Path, before: list[Entry]) -> None:
    """The next start cuts off only what nobody could read, and what was reported stays as it was."""
    writer = LogWriter(folder, STREAM, clock_us=FixedClock())
    writer.append(Act("retract_link", "after the restart", {}))
    writer.close()
    *after, (_, _, last) = read_all(folder)
    assert isinstance(last, Record)
    assert last.act == Act("retract_link", "after the restart", {})
    assert after == before


def damage_cases(seed: int, count: int) -> Counter[str]:
    """Check `count` random cases of one to three wounds; returns how many cases, records kept and lost, damages."""
    chance, total = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        whole = write_log(Path(folder) / "whole")
        for number in range(count):
            wounds = [_any_wound(chance) for _ in range(chance.choice([1, 1, 2, 3]))]
            total += check_wounds(whole, wounds, Path(folder) / str(number))
    return total


def _any_wound(chance: random.Random) -> Wound:
    kinds: list[Literal["flip", "zero", "cut", "remove", "insert"]] = [
        "flip",
        "flip",
        "zero",
        "cut",
        "remove",
        "insert",
    ]
    length = chance.choice([1, 1, 1, 8, 60, 300])
    return Wound(chance.choice(kinds), chance.randrange(4), chance.randrange(2000), length)


def write(log: Path, *bodies: bytes, max_file_bytes: int = 64 << 20) -> list[Position]:
    """A collector takes these requests and stops."""
    writer = LogWriter(log, STREAM, clock_us=FixedClock(), max_file_bytes=max_file_bytes)
    positions = [writer.append(Request("POST", "/events", "", {}, "::1", body)) for body in bodies]
    writer.close()
    return positions


def change(path: Path, at: int, new: bytes) -> None:
    """Other bytes at a place of a file."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + new + data[at + len(new) :])


def flip(path: Path, at: int) -> None:
    change(path, at, bytes([path.read_bytes()[at] ^ 0x40]))


def told(log: Path) -> list[str | bytes]:
    """What is read: bodies as bytes, acts and damage in words. The same in one go and in steps, and only once."""
    entries = read_all(log)
    assert read_in_steps(log) == entries
    found = list[str | bytes]()
    for _, _, what in entries:
        if isinstance(what, Damage):
            found.append(what.detail)
        elif what.request is not None:
            found.append(what.request.body)
        else:
            assert what.act is not None
            found.append(what.act.act)
    return found
