"""Log files of which the beginning, the end or all is gone, that cannot be read, or are of another format."""

import hashlib
import os
import zlib
from pathlib import Path

import pytest

from ingest.errors import LogDamaged, LogUnreadable
from ingest.log.files import FILE_END, file_path, last_end, list_files, read_records, size_of
from ingest.log.frame import FORMAT_VERSION, FrameKind, UnknownFormat, encode_frame, read_frames
from ingest.log.frame_file import CHUNK_BYTES
from ingest.log.loaded import write_loaded
from ingest.log.writer import LogWriter
from ingest.record import Damage, Position, Record
from tests.log_damage import FIRST_OPEN, FIRST_SEALED, STREAM, change, flip, read_all, told, write
from tests.stories import FixedClock

# The frames around the records


@pytest.mark.parametrize("is_secret_there", [True, False])
def test_the_marker_is_known_though_the_opening_is_broken(tmp_path: Path, is_secret_there: bool) -> None:
    """With the stream's secret even a file whose first block is gone; without it as long as its first bytes stand."""
    first, *_ = write(tmp_path, b"a", b"b")
    path = tmp_path / STREAM / FIRST_SEALED
    if is_secret_there:
        change(path, 0, bytes(first.offset))
    else:
        (tmp_path / STREAM / "secret").unlink()
        flip(path, first.offset - 1)
    [damage, *rest] = told(tmp_path)
    assert damage == (
        f"log file collector/000000000001: {first.offset} bytes at offset 0 fail their checksum; "
        f"reading goes on at offset {first.offset}"
    )
    assert rest == [b"a", b"b"]
    [(_, _, what), (_, _, record), _] = read_all(tmp_path)
    assert what.received_at_us == record.received_at_us - 1  # nothing else says when


def test_a_file_whose_marker_nobody_knows_is_damaged_as_a_whole(tmp_path: Path) -> None:
    """Better no record than one that a sender may have made up."""
    write(tmp_path, b"a" * 2000, b"b", max_file_bytes=1)
    path = (tmp_path / STREAM / FIRST_SEALED).rename(tmp_path / STREAM / FIRST_OPEN)
    (tmp_path / STREAM / "secret").unlink()
    change(path, 0, bytes(20))
    size = path.stat().st_size
    writer = LogWriter(tmp_path, STREAM, clock_us=FixedClock())
    writer.close()
    assert path.with_suffix(".log").stat().st_size == size
    [damage, after] = told(tmp_path)
    assert damage == f"log file collector/000000000001: {size} bytes from offset 0 to the end fail their checksum"
    assert after == b"b"


def test_a_file_cut_short_after_it_was_sealed_is_told_once_though_what_is_left_is_whole(tmp_path: Path) -> None:
    _, second = write(tmp_path, b"a", b"b")
    path = tmp_path / STREAM / FIRST_SEALED
    path.write_bytes(path.read_bytes()[: second.offset])
    write(tmp_path, b"c")
    at = second.offset
    expected = [
        b"a",
        f"log file collector/000000000001: it ends at offset {at} without a seal; what came behind offset {at} is gone",
        b"c",
    ]
    assert told(tmp_path) == expected


def test_a_file_that_became_shorter_than_what_was_read_of_it_is_told(tmp_path: Path) -> None:
    _, second, _ = write(tmp_path, b"a", b"b", b"c")
    path = tmp_path / STREAM / FIRST_SEALED
    path.write_bytes(path.read_bytes()[:20])
    [(position, end, what)] = read_records(tmp_path, STREAM, 1, second.offset, 1 << 30)
    assert (position, end) == (second, FILE_END)
    assert isinstance(what, Damage)
    assert what.detail.endswith(f"it ends at offset 20 without a seal; what came behind offset {second.offset} is gone")


def test_damage_is_told_by_its_hash_and_its_bytes_stay_in_the_log(tmp_path: Path) -> None:
    write(tmp_path, b"a", bytes(3 * CHUNK_BYTES), b"b")
    path = tmp_path / STREAM / FIRST_SEALED
    whole = path.read_bytes()
    flip(path, whole.index(bytes(1000)))
    [_, (position, end, what), _] = read_all(tmp_path)
    assert isinstance(what, Damage)
    assert what.length == end - position.offset > 3 * CHUNK_BYTES
    assert what.sha256 == hashlib.sha256(path.read_bytes()[position.offset : end]).hexdigest()


def test_a_whole_frame_that_holds_no_record_is_damage(tmp_path: Path) -> None:
    write(tmp_path, b"a", b"b")
    path = tmp_path / STREAM / FIRST_SEALED
    data = path.read_bytes()
    [(_, end, _), _] = read_all(tmp_path)
    path.write_bytes(data[:end] + encode_frame(FrameKind.RECORD, b"\xa3new", data[6:14]) + data[end:])
    [_, detail, _] = told(tmp_path)
    assert isinstance(detail, str)
    assert detail.startswith(
        f"log file collector/000000000001: the frame at offset {end} is whole, but holds no record:"
    )


# Files that are gone or cannot be read


def test_files_that_are_gone_are_named_in_their_place(tmp_path: Path) -> None:
    write(tmp_path, *(b"%d" % number for number in range(1, 7)), max_file_bytes=1)
    for number in (1, 3, 4):
        (tmp_path / STREAM / f"{number:012d}.log").unlink()
    assert told(tmp_path) == [
        "log file 1 is gone from the stream collector",
        b"2",
        "log files 3 to 4 are gone from the stream collector",
        b"5",
        b"6",
    ]


def test_a_file_that_is_gone_after_a_part_of_it_was_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, b"a", b"b", max_file_bytes=1)
    (tmp_path / STREAM / FIRST_SEALED).unlink()
    [(position, end, what), (_, _, record)] = read_records(tmp_path, STREAM, 1, 70, 1 << 30)
    assert (position, end) == (Position(STREAM, 1, 70), FILE_END)
    assert isinstance(what, Damage)
    assert what.detail == "log file 1 is gone from the stream collector; it was read up to offset 70"
    assert isinstance(record, Record)


def test_a_stream_whose_last_files_are_gone_goes_on_behind_what_was_loaded_of_them(tmp_path: Path) -> None:
    """The disk lost files 2 and 3 after the server had read them; a new file 2 would not be read by anybody."""
    write(tmp_path, b"1", b"2", b"3", max_file_bytes=1)
    [_, _, (position, end, _)] = read_all(tmp_path)
    write_loaded(tmp_path, {STREAM: (position.file, end)})
    for number in (2, 3):
        (tmp_path / STREAM / f"{number:012d}.log").unlink()
    write(tmp_path, b"4")
    [(_, _, damage), (_, _, record)] = read_records(tmp_path, STREAM, position.file, end, 1 << 30)
    assert isinstance(damage, Damage)
    assert damage.detail == f"log file 3 is gone from the stream collector; it was read up to offset {end}"
    assert isinstance(record, Record)
    assert record.request is not None
    assert record.request.body == b"4"


def test_a_log_that_ends_before_what_was_read_of_it_stops_the_reader(tmp_path: Path) -> None:
    write(tmp_path, b"a")
    with pytest.raises(LogDamaged, match="ends with file 1, but was read up to file 3: restore the files"):
        list(read_records(tmp_path, STREAM, 3, 50, 1 << 30))


def test_a_file_that_the_disk_refuses_stops_the_reader_there_until_it_is_back(tmp_path: Path) -> None:
    write(tmp_path, b"a", b"b", b"c", max_file_bytes=1)
    path = tmp_path / STREAM / "000000000002.log"
    data = path.read_bytes()
    path.unlink()
    path.mkdir()  # refuses to be read, whoever asks
    reader = read_records(tmp_path, STREAM, 0, 0, 1 << 30)
    position, end, _ = next(reader)
    with pytest.raises(LogUnreadable, match=r"000000000002\.log cannot be read at offset 6: Is a directory"):
        next(reader)
    path.rmdir()
    path.write_bytes(data)
    rest = [what for _, _, what in read_records(tmp_path, STREAM, position.file, end, 1 << 30)]
    assert [what.request.body for what in rest if isinstance(what, Record) and what.request] == [b"b", b"c"]


# Other formats, and how much is read


def test_a_frame_of_a_later_format_asks_for_an_upgrade() -> None:
    frame = encode_frame(FrameKind.RECORD, b"new", b"8 bytes!")
    body = bytes([FORMAT_VERSION + 1]) + frame[5:]
    later = zlib.crc32(body).to_bytes(4, "little") + body
    with pytest.raises(UnknownFormat, match=r"log format 3 .*at offset 100: this reads format 2"):
        list(read_frames(later, 100, b"8 bytes!"))
    assert [bytes(each.payload) for each in read_frames(frame, 0, b"8 bytes!")] == [b"new"]


def test_a_log_of_the_first_format_is_not_taken_for_damage(tmp_path: Path) -> None:
    head = b"\x01\x01" + len(b"opening").to_bytes(4, "little")
    checksum = zlib.crc32(head + b"opening").to_bytes(4, "little")
    (tmp_path / STREAM).mkdir()
    (tmp_path / STREAM / FIRST_SEALED).write_bytes(head + checksum + b"opening" + bytes(300))
    with pytest.raises(UnknownFormat, match="is of log format 1"):
        read_all(tmp_path)
    with pytest.raises(UnknownFormat, match="move the log folder away"):
        LogWriter(tmp_path, STREAM)


def test_no_more_is_read_than_was_asked_for_and_one_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, *[bytes(50_000)] * 40)
    read = list[int]()
    pread = os.pread

    def count(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr("ingest.log.frame_file.os.pread", count)
    entries = list(read_records(tmp_path, STREAM, 1, 0, 200_000))
    assert len(entries) == 4
    assert sum(read) < 200_000 + 60_000 + 1000
    assert max(read) <= 200_000


def test_the_size_of_a_file_survives_its_sealing(tmp_path: Path) -> None:
    path = file_path(tmp_path, 1, ".open")
    path.write_bytes(b"12345")
    [listed] = list_files(tmp_path)
    path.rename(path.with_suffix(".log"))
    assert size_of(listed) == 5
    path.with_suffix(".log").unlink()
    assert size_of(listed) == 0


@pytest.mark.parametrize("middle_bytes", [1, 3 * CHUNK_BYTES])
def test_the_end_of_a_file_is_found_from_its_end(tmp_path: Path, middle_bytes: int) -> None:
    """Sealed or not, behind a large record or a small one, and before a frame that is still being written."""
    write(tmp_path, b"a", b"b", bytes(middle_bytes))
    [sealed] = list_files(tmp_path / STREAM)
    *_, (_, end, _) = read_all(tmp_path)
    assert last_end(sealed) == end
    opened = sealed.path.rename(sealed.path.with_suffix(".open"))
    opened.write_bytes(opened.read_bytes()[: end + 9])
    assert last_end(list_files(tmp_path / STREAM)[0]) == end
