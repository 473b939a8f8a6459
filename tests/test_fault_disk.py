"""A full disk and a folder that cannot be written: what was answered is there once, what was refused is not.

On a real small disk (a tmpfs, mounted by root) and with a real collector, that must recover without a restart.
"""

import http.client
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.offline import open_offline
from tests.fault_clients import REFUSALS, Line, native_post, segment_post, sensors_post
from tests.fault_services import House, free_port
from tests.fault_verdict import load_again
from tests.small_disk import small_disk
from tests.waiting import DEADLINE_S, until

DISK_BYTES = 3 << 20
RESERVED_BYTES = 256 << 10
NAMES_PER_REQUEST = 40
MOST_REQUESTS = 400
FAMILIES = (native_post, segment_post, sensors_post)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as place:
        yield place
        subprocess.run(["umount", "--lazy", str(place / "data")], check=False, capture_output=True)


class Diary:
    """What one client was told about its requests; it does not send again what was refused."""

    def __init__(self, line: Line) -> None:
        self.answered: list[str] = []
        self.refused: list[str] = []
        self._line = line
        self._count = 0

    def post(self) -> bool:
        """Send the next request, note what became of it, and tell whether it was answered."""
        self._count += 1
        names = [f"client 0 request {self._count} event {each}" for each in range(NAMES_PER_REQUEST)]
        post = FAMILIES[self._count % len(FAMILIES)]("teacher", "device", names)
        status, _ = self._line.post(post.path, post.pack(0), post.headers)
        assert status in (None, 200, *REFUSALS)
        (self.answered if status == 200 else self.refused).extend(names)
        return status == 200

    def post_until_refused(self) -> int:
        """Post until ten in a row are refused; returns how many were not: what a refusal frees lets a few more in."""
        answered = in_a_row = 0
        for _ in range(MOST_REQUESTS):
            is_answered = self.post()
            answered, in_a_row = answered + is_answered, 0 if is_answered else in_a_row + 1
            if in_a_row == 10:
                return answered
        raise AssertionError(f"{answered} of {MOST_REQUESTS} requests went onto a disk that is full")


def fill(place: Path, leave_bytes: int) -> Path:
    """Somebody else's file takes the room, but for the last bytes."""
    ballast = place / "ballast"
    room = os.statvfs(place)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave_bytes)
    return ballast


def look(house: House, path: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", house.collector_port, timeout=DEADLINE_S)
    connection.request("GET", path)
    response = connection.getresponse()
    told: dict[str, object] = json.loads(response.read())
    connection.close()
    return response.status, told


def check_kept(house: House, diary: Diary, fresh: Path) -> None:
    """Loaded elsewhere, as the small disk has no room for a warehouse."""
    with open_offline(load_again(house.settings, fresh)) as warehouse, warehouse.snapshot() as snapshot:
        rows = snapshot.query("select properties.name as name from events where event_name like 'Lesson%'").to_pylist()
    assert Counter(row["name"] for row in rows) == Counter(diary.answered)
    assert not {row["name"] for row in rows} & set(diary.refused)


def small_house(disk: Path) -> House:
    overrides: dict[str, int | float | str] = {
        "collector.reserved_bytes": RESERVED_BYTES,
        "collector.max_log_file_bytes": 40_000,
    }
    return House(disk / "data", overrides)


def test_full_disk_is_refused_after_the_reserve_and_taken_again_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    house = small_house(disk)
    with house.running("collect") as collector, Line(house.collector_port) as line:
        diary, life = Diary(line), collector.pid
        assert diary.post()
        ballast = fill(disk, leave_bytes=16 << 10)
        # The disk is full for everybody else, yet the reserve takes some more.
        assert diary.post_until_refused() > 10
        status, told = look(house, "/ready")
        assert (status, told["status"]) == (503, "refusing")
        assert told["problem"]
        assert look(house, "/health")[0] == 200

        ballast.unlink()
        until(diary.post, "requests are taken again")
        assert all(diary.post() for _ in range(9))
        until(lambda: look(house, "/ready")[0] == 200, "it is ready again")
        assert collector.pid == life

        # Full again, and killed: it starts on the full disk, answers, refuses, and goes on when there is room.
        ballast = fill(disk, leave_bytes=16 << 10)
        diary.post_until_refused()
        collector.kill()
        collector.start()
        collector.wait_until_healthy()
        diary.post_until_refused()
        assert look(house, "/ready")[0] == 503
        ballast.unlink()
        until(diary.post, "requests are taken again")
    check_kept(house, diary, tmp_path / "fresh")


@pytest.mark.slow
def test_folder_that_turns_read_only_is_refused_and_taken_again(disk: Path, tmp_path: Path) -> None:
    house = small_house(disk)
    with house.running("collect") as collector, Line(house.collector_port) as line:
        diary, life = Diary(line), collector.pid
        assert diary.post()
        data = str(house.data)
        mount("--bind", data, data)
        mount("-o", "remount,bind,ro", data)
        # The open file still takes some; the next one cannot be begun.
        diary.post_until_refused()
        assert look(house, "/ready")[0] == 503
        subprocess.run(["umount", data], check=True)
        until(diary.post, "requests are taken again")
        assert collector.pid == life
    check_kept(house, diary, tmp_path / "fresh")


def test_collector_does_not_start_in_a_read_only_folder_and_says_so(disk: Path) -> None:
    mount("-o", "remount,ro", str(disk))
    arguments = ["-P", "-m", "api.cli", "collect", "--data", str(disk / "data"), "--collector-port", str(free_port())]
    ended = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert ended.returncode == 1
    assert "Read-only" in ended.stderr
