"""Damage to the log: what was acknowledged before and behind it is read, what is broken is told in its place, and
nothing that a sender wrote can pass for a record."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.log.files import read_records
from ingest.log.frame import FRAME_OVERHEAD, FrameKind, encode_frame
from ingest.log.frame_file import FrameFile
from ingest.log.repair import repair_tail
from ingest.log.writer import LogWriter
from ingest.record import Act, Damage, Record, encode_record
from tests.log_damage import (
    FIRST_OPEN,
    FIRST_SEALED,
    STREAM,
    WholeLog,
    Wound,
    change,
    check_wounds,
    damage_cases,
    flip,
    read_all,
    told,
    write,
    write_log,
)
from tests.stories import NOON_US, FixedClock


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> WholeLog:
    return write_log(tmp_path_factory.mktemp("log"))


# Any damage


def test_every_flipped_byte_costs_the_record_it_stands_in_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, b"a", b"b")
    path = tmp_path / STREAM / FIRST_SEALED
    data = path.read_bytes()
    with FrameFile(path) as file:
        pieces = [(found.offset, found.end) for found in file.frames()]
    assert len(pieces) == 4
    for at in range(len(data)):
        path.write_bytes(data)
        flip(path, at)
        [(place, start, end)] = [(n, start, end) for n, (start, end) in enumerate(pieces) if start <= at < end]
        detail = f"log file collector/000000000001: {end - start} bytes at offset {start} fail their checksum; "
        detail += f"reading goes on at offset {end}"
        if end == len(data):
            detail = detail.replace(f"at offset {start} ", f"from offset {start} to the end ").partition(";")[0]
        assert told(tmp_path) == [[detail, b"a", b"b"], [detail, b"b"], [b"a", detail], [b"a", b"b", detail]][place]


wounds = st.lists(
    st.builds(
        Wound,
        st.sampled_from(["flip", "zero", "cut", "remove", "insert"]),
        st.integers(0, 3),
        st.integers(0, 1500),
        st.sampled_from([1, 2, 8, 70, 400]),
    ),
    min_size=1,
    max_size=3,
)


@hypothesis_settings(max_examples=40, deadline=None)  # each case restarts a collector, which waits for the disk
@given(wounds=wounds)
def test_what_is_whole_is_read_in_order_and_once_whatever_happened_to_the_rest(
    wounds: list[Wound], whole: WholeLog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_wounds(whole, wounds, tmp_path_factory.mktemp("wounded") / "log")


def test_the_sweep_counts_what_it_saw() -> None:
    counts = damage_cases(seed=3, count=10)
    assert counts["cases"] == 10
    assert counts["kept"] + counts["lost"] == 10 * 19
    assert counts["kept"] > counts["lost"] > 0
    assert counts["damages"] > 0


# What senders write


def test_a_frame_in_a_body_is_never_read_whatever_is_broken_around_it(tmp_path: Path) -> None:
    """A sender puts whole frames into its body, some with the marker of an earlier file of this very stream."""
    write(tmp_path, b"first")
    known_marker = (tmp_path / STREAM / FIRST_SEALED).read_bytes()[6:14]
    act = encode_record(Record(NOON_US, None, Act("delete_everything", "a sender", {})))
    evil = encode_frame(FrameKind.RECORD, act, known_marker) + encode_frame(FrameKind.RECORD, act, bytes(8))
    [attack, _] = write(tmp_path, evil * 3, b"last")
    path = tmp_path / STREAM / "000000000002.log"
    data = path.read_bytes()
    for at in range(attack.offset, attack.offset + FRAME_OVERHEAD):
        path.write_bytes(data)
        for bit in (1, 0x80):
            change(path, at, bytes([data[at] ^ bit]))
            assert [each for each in told(tmp_path) if not isinstance(each, str)] == [b"first", b"last"]
            assert "delete_everything" not in told(tmp_path)
    for cut in range(attack.offset, len(data) + 1):
        path.write_bytes(data[:cut])
        assert "delete_everything" not in told(tmp_path)


def test_a_torn_body_full_of_frames_is_torn_and_not_damage(tmp_path: Path) -> None:
    """Power is cut while a body that holds whole frames of another marker is half on disk."""
    act = encode_record(Record(NOON_US, None, Act("delete_everything", "a sender", {})))
    [before, attack] = write(tmp_path, b"before", encode_frame(FrameKind.RECORD, act, b"guessed?") * 10)
    path = (tmp_path / STREAM / FIRST_SEALED).rename(tmp_path / STREAM / FIRST_OPEN)
    whole = path.read_bytes()
    path.write_bytes(whole[: attack.offset + 300])
    assert told(tmp_path) == [b"before"]
    repair_tail(path)
    assert told(tmp_path) == [b"before"]
    assert (tmp_path / STREAM / "000000000001.torn").read_bytes() == whole[attack.offset : attack.offset + 300]
    assert before.file == 1


def test_the_way_behind_damage_is_found_with_few_checksums_in_bodies_made_to_mislead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bodies full of what frames begin with: version, kind and small lengths."""
    write(tmp_path, *[b"\x02\x02\x00\x00" * 200_000] * 3, b"last")
    path = tmp_path / STREAM / FIRST_SEALED
    flip(path, 40)
    checked = list[int]()
    checksum = zlib.crc32

    def count(data: bytes, start: int = 0) -> int:
        checked.append(len(data))
        return int(checksum(data, start))

    monkeypatch.setattr("ingest.log.frame.zlib.crc32", count)
    entries = list(read_records(tmp_path, STREAM, 0, 0, 1 << 30))
    assert [isinstance(what, Damage) for _, _, what in entries] == [True, False, False, False]
    assert len(checked) < 20
    assert sum(checked) < 3 * path.stat().st_size


# Files that are still open


def test_a_frame_that_is_being_written_is_waited_for(whole: WholeLog, tmp_path: Path) -> None:
    """A reader looks at an open file after each byte that is written."""
    frames = whole.frames["000000000004.open"]
    folder = tmp_path / STREAM
    folder.mkdir()
    seen, offset, written = list[bytes](), 0, b""
    for byte in whole.files["000000000004.open"]:
        written += bytes([byte])
        (folder / "000000000004.open").write_bytes(written)
        for _, end, what in list(read_records(tmp_path, STREAM, 4, offset, 1 << 30)):
            assert isinstance(what, Record)
            seen.append(encode_record(what))
            offset = end
    assert seen == [frame[FRAME_OVERHEAD:] for frame in frames[1:]]
    assert len(seen) > 1


def test_a_broken_end_of_an_open_file_is_told_when_the_next_record_stands_behind_it(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, STREAM, clock_us=FixedClock())
    path = tmp_path / STREAM / FIRST_OPEN
    writer.append(Act("first", "", {}))
    broken = writer.append(Act("second", "", {}))
    flip(path, broken.offset + 30)
    assert told(tmp_path) == ["first"]
    behind = writer.append(Act("third", "", {}))
    expected = [
        "first",
        f"log file collector/000000000001: {behind.offset - broken.offset} bytes at offset {broken.offset} fail their "
        f"checksum; reading goes on at offset {behind.offset}",
        "third",
    ]
    assert told(tmp_path) == expected
    writer.close()
    assert told(tmp_path) == expected


def test_a_file_that_a_crash_left_open_is_not_damage_while_nobody_repairs_it(tmp_path: Path) -> None:
    write(tmp_path, b"a", b"b")
    path = (tmp_path / STREAM / FIRST_SEALED).rename(tmp_path / STREAM / FIRST_OPEN)
    path.write_bytes(path.read_bytes()[:-30])
    for _ in range(3):
        assert [type(what) for _, _, what in read_all(tmp_path)] == [Record]


def test_an_unfinished_file_holds_back_later_ones(tmp_path: Path) -> None:
    """The collector seals a file and begins the next between two looks of a reader at the folder."""
    write(tmp_path, b"a", b"b", max_file_bytes=1)
    path = (tmp_path / STREAM / FIRST_SEALED).rename(tmp_path / STREAM / FIRST_OPEN)
    data = path.read_bytes()
    path.write_bytes(data[:50])
    assert told(tmp_path) == []
    path.write_bytes(data)
    assert told(tmp_path) == [b"a", b"b"]
