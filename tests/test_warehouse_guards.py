"""What must not go wrong in silence: damage in a file still open, a foreign salt, small requests with many messages."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from api.asking import running_server
from api.settings import SERVER_FILE, read_settings
from ingest.errors import LogDamaged
from ingest.log_files import read_records
from ingest.log_writer import LogWriter
from tests.stories import PROJECT, StoryLog, device, event, load_story, loader_of, native, new_warehouse, rows
from warehouse.errors import WrongSalt
from warehouse.settings import WarehouseSettings
from warehouse.warehouse import Warehouse

OPEN_FILE = "000000000001.open"
SEALED_FILE = "000000000001.log"


def ten_visits(folder: Path) -> Path:
    """A log of ten requests in an open file; returns the file."""
    StoryLog(folder).tell(*(native(event("look", device(f"d{number}"))) for number in range(10)))
    return folder / "collector" / OPEN_FILE


def flip_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def test_a_flipped_byte_in_the_open_file_stops_the_reader_there(tmp_path: Path) -> None:
    path = ten_visits(tmp_path)
    [_, _, third, *_] = [position for position, _, _ in read_records(tmp_path, "collector", 0, 0, 1 << 20)]
    flip_byte(path, third.offset + 20)
    with pytest.raises(LogDamaged, match=f"is damaged at offset {third.offset}"):
        list(read_records(tmp_path, "collector", 0, 0, 1 << 20))


def test_a_restart_cuts_nothing_off_a_damaged_file_and_goes_on_in_the_next(tmp_path: Path) -> None:
    path = ten_visits(tmp_path)
    size = path.stat().st_size
    flip_byte(path, size // 2)
    writer = LogWriter(tmp_path, "collector")
    position = writer.append(native(event("look", device("d11"))))
    writer.close()
    assert position.file == 2
    assert (tmp_path / "collector" / SEALED_FILE).stat().st_size == size
    with pytest.raises(LogDamaged):
        list(read_records(tmp_path, "collector", 0, 0, 1 << 20))


def test_small_requests_with_many_messages_are_loaded_in_bounded_batches(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(*(native(*(event("look", device(f"d{n}"), number=n) for n in range(20))) for _ in range(5)))
    warehouse = new_warehouse(load_max_messages=30)
    reports = loader_of(warehouse, log).load_all()
    assert [report.messages for report in reports] == [40, 40, 20]
    assert rows(warehouse, "select count(*) from events") == [(100,)]


def test_a_warehouse_is_not_opened_with_another_salt(tmp_path: Path) -> None:
    path = tmp_path / "academy.duckdb"
    Warehouse(path, PROJECT, WarehouseSettings()).close()
    with pytest.raises(WrongSalt, match="loaded with another salt"):
        Warehouse(path, replace(PROJECT, salt="another sixteen bytes"), WarehouseSettings())
    Warehouse(path, PROJECT, WarehouseSettings()).close()


def test_a_stale_announcement_leads_to_no_server(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, environment={})
    announcement = {"url": "http://127.0.0.1:1", "instance": "gone"}
    (tmp_path / SERVER_FILE).write_text(json.dumps(announcement), encoding="utf-8")
    assert running_server(settings) is None


def test_a_replay_in_one_batch_equals_bounded_batches(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(*(native(event("look", device(f"d{n % 3}"), number=n)) for n in range(12)))
    columns = "select event_id, person_id, event_name from events order by all"
    assert rows(load_story(log, load_max_messages=1), columns) == rows(load_story(log), columns)
