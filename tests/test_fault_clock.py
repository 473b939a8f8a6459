"""A clock that jumps: arrivals never go backwards in a stream, and everything answered is there once."""

from collections import Counter
from pathlib import Path

import pytest

from api.offline import open_offline
from ingest.log.files import read_records
from ingest.record import Record
from tests.fault_clients import Line, native_post, segment_post, sensors_post
from tests.fault_services import House
from tests.fault_verdict import load_again

HOUR_US = 3_600_000_000
WHOLE_LOG = 1 << 40


@pytest.mark.slow
def test_clock_jumping_back_while_running_and_between_two_lives_keeps_order_and_loses_nothing(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0", encoding="ascii")
    house = House(tmp_path / "data", {"collector.max_log_file_bytes": 2_000}, clock)
    families, sent = (native_post, segment_post, sensors_post), list[str]()
    with house.running("collect") as collector:
        # Forward by an hour, back by two, to the last century's side of a resend, and a start with a clock that is off.
        for number, hours in enumerate((0, 1, -1, -1, -30, 0, 0)):
            clock.write_text(str(hours * HOUR_US), encoding="ascii")
            with Line(house.collector_port) as line:
                for place, family in enumerate(families):
                    names = [f"client {place} request {number} event {each}" for each in range(3)]
                    post = family("teacher", "device", names)
                    # Sent twice, as after a lost answer: with the same keys, and Sensors' with other bytes.
                    assert line.post(post.path, post.pack(0), post.headers)[0] == 200
                    assert line.post(post.path, post.pack(1), post.headers)[0] == 200
                    sent += names
            if number == 3:
                collector.kill()
                collector.start()
                collector.wait_until_healthy()
    entries = [entry[2] for entry in read_records(house.settings.log_folder, "collector", 0, 0, WHOLE_LOG)]
    arrivals = [entry.received_at_us for entry in entries if isinstance(entry, Record)]
    assert len(arrivals) == 7 * 3 * 2 == len(entries)
    assert arrivals == sorted(set(arrivals))
    with open_offline(load_again(house.settings, tmp_path / "fresh")) as warehouse, warehouse.snapshot() as snapshot:
        rows = snapshot.query("select properties.name as name from events where event_name like 'Lesson%'").to_pylist()
        rejects = snapshot.query("select reason from rejects").to_pylist()
    assert Counter(row["name"] for row in rows) == Counter(sent)
    assert rejects == []
