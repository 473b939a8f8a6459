"""Where the collector receives: told at its start, found in its folder while it runs, gone when it has ended."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from api.doctor import examine, read_bearably
from api.services.announcing import running_collector
from api.settings import COLLECTOR_FILE, read_settings
from ingest.log.writer import LogWriter
from tests.fault_services import free_port
from tests.waiting import DEADLINE_S


def onepath(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-P", "-m", "api.cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_collector_says_where_it_receives_and_is_found_on_any_port(tmp_path: Path, workers: str) -> None:
    port, data = free_port(), tmp_path / "data"
    process = onepath("collect", "--data", str(data), "--collector-port", str(port), "--workers", workers)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        url = f"http://127.0.0.1:{port}"
        assert first == f"Send events to {url} (/sa, /v1/batch, /events); Ctrl-C ends it\n"
        # Whoever asks was not told the port.
        assert running_collector(read_settings(data, environment={})) == url
        assert dict(examine(read_bearably(data, {}, {})))["Collector"] == f"ok on {url}"
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)
    assert not (data / COLLECTOR_FILE).exists()
    assert running_collector(read_settings(data, environment={})) is None


def test_a_collector_that_was_killed_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, environment={})
    (tmp_path / COLLECTOR_FILE).write_text(f'{{"url": "http://127.0.0.1:{free_port()}"}}')
    assert running_collector(settings) is None
    assert "nobody answers" in dict(examine(read_bearably(tmp_path, {}, {})))["Collector"]


def test_why_a_service_did_not_start_is_told_once(tmp_path: Path) -> None:
    read_settings(tmp_path, environment={})
    other = LogWriter(tmp_path / "log", "collector")
    ports = ("--collector-port", str(free_port()), "--server-port", str(free_port()))
    process = onepath("up", "--data", str(tmp_path), *ports)
    told, errors = process.communicate(timeout=DEADLINE_S)
    other.close()
    assert process.returncode == 1
    assert told.splitlines() == [f"starting collector and server on {tmp_path} ..."]
    assert "being written by another process" in errors
    assert "ended with status" not in errors


def test_the_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        read_settings(tmp_path / "data", environment={})
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_the_doctor_begins_with_how_things_stand_and_leaves_defaults_to_all(tmp_path: Path) -> None:
    def told(*options: str) -> list[str]:
        process = onepath("doctor", "--data", str(tmp_path / "data"), "--collector-port", str(free_port()), *options)
        text, errors = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, errors) == (0, "")
        return text.splitlines()

    short = told()
    assert [line.partition(":")[0] for line in short[:5]] == ["Log", "Collector", "Server", "Warehouse", "Project"]
    named = [line.partition(" = ")[0] for line in short if " = " in line]
    assert named == ["ONEPATH_DATA", "ONEPATH_COLLECTOR__PORT"]
    assert "(onepath.toml)" not in "".join(short), "there is no such file yet"
    assert "onepath doctor --all" in short[-1]
    assert any(line.startswith("ONEPATH_SERVER__PORT = 8107") for line in told("--all"))
    assert not (tmp_path / "data").exists()
