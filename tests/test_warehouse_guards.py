"""What must not go wrong in silence: damage in the log, a foreign salt, small requests with many messages."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.asking import running_server
from api.settings import SERVER_FILE, read_settings
from ingest.log.files import read_records
from ingest.log.writer import LogWriter
from ingest.settings import DecodeSettings
from tests.stories import PROJECT, StoryLog, contents, device, event, load_story, loader_of, native, new_warehouse, rows
from warehouse.errors import WrongSalt
from warehouse.load import Loader
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


def damaged(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return rows(warehouse, "select detail, original_length, received_at from rejects where reason = 'log_damaged'")


def test_a_flipped_byte_costs_one_request_which_becomes_a_reject_in_its_place(tmp_path: Path) -> None:
    """The byte flips in the third of ten requests, which arrived two seconds after noon."""
    path = ten_visits(tmp_path)
    [_, second, third, fourth, *_] = list(read_records(tmp_path, "collector", 0, 0, 1 << 20))
    flip_byte(path, third[0].offset + 20)
    warehouse = new_warehouse(load_max_bytes=1)
    reports = Loader(warehouse, tmp_path, DecodeSettings()).load_all()
    assert [(report.messages, report.rejects) for report in reports] == [(1, 0), (1, 0), (0, 1), *[(1, 0)] * 7]
    length = fourth[0].offset - third[0].offset
    detail = f"log file collector/000000000001: {length} bytes at offset {third[0].offset} fail their checksum; "
    detail += f"reading goes on at offset {fourth[0].offset}"
    arrived = datetime.fromtimestamp(second[2].received_at_us / 1_000_000, UTC).replace(tzinfo=None)
    assert damaged(warehouse) == [(detail, length, arrived)]
    assert rows(warehouse, "select protocol, outcome, message_count from arrivals where reason = 'log_damaged'") == [
        ("onepath", "rejected", 1)
    ]
    in_one_go = new_warehouse()
    Loader(in_one_go, tmp_path, DecodeSettings()).load_all()
    assert contents(in_one_go) == contents(warehouse)


def test_a_restart_cuts_nothing_off_a_damaged_file_and_what_was_told_stays_so(tmp_path: Path) -> None:
    path = ten_visits(tmp_path)
    before = path.read_bytes()
    flip_byte(path, len(before) // 2)
    warehouse = new_warehouse()
    loader = Loader(warehouse, tmp_path, DecodeSettings())
    loader.load_all()
    told = damaged(warehouse)
    writer = LogWriter(tmp_path, "collector")
    position = writer.append(native(event("look", device("d11"))))
    writer.close()
    assert position.file == 2
    sealed = (tmp_path / "collector" / SEALED_FILE).read_bytes()
    assert len(sealed) > len(before)  # its seal
    loader.load_all()
    assert damaged(warehouse) == told
    assert rows(warehouse, "select count(*) from events") == [(10,)]
    replayed = new_warehouse()
    Loader(replayed, tmp_path, DecodeSettings()).load_all()
    assert contents(replayed) == contents(warehouse)


def test_the_end_of_a_sealed_file_that_is_gone_is_told_once(tmp_path: Path) -> None:
    path = ten_visits(tmp_path)
    [*_, last] = list(read_records(tmp_path, "collector", 0, 0, 1 << 20))
    sealed = path.rename(tmp_path / "collector" / SEALED_FILE)
    sealed.write_bytes(sealed.read_bytes()[: last[0].offset])
    warehouse = new_warehouse(load_max_bytes=1)
    loader = Loader(warehouse, tmp_path, DecodeSettings())
    for _ in range(3):
        loader.load_all()
        assert len(damaged(warehouse)) == 1
    assert rows(warehouse, "select count(*) from events") == [(9,)]


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
