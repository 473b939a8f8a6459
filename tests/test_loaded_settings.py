"""A folder remembers what it was loaded with, and whoever judges by other settings is told so by name."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from api.loaded_settings import LOADED_SETTINGS_FILE, differing_settings
from api.settings import read_settings
from tests.houses import House
from tests.stories import NOON, StoryLog, device, event, native

NAME_CHARS = "ONEPATH_DECODE__MAX_NAME_CHARS"
DIFFERS = "max_name_chars is 255 here, 400 when this folder was last loaded"


def run(folder: Path, *command: str, status: int = 0) -> Result:
    result: Result = CliRunner().invoke(app, [*command, "--data", str(folder)])
    assert result.exit_code == status, (result.output, result.exception)
    return result


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Loaded by somebody who allows names of 400 characters; then a shell that knows nothing of it."""
    folder = tmp_path / "data"
    read_settings(folder)
    StoryLog(folder / "log").tell(native(event("n" * 300, device("d1"), NOON)))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv(NAME_CHARS, "400")
    assert "judged by" not in run(folder, "load", "--once").stderr
    monkeypatch.delenv(NAME_CHARS)
    return folder


def test_a_check_says_which_setting_is_another_than_at_the_last_load(data: Path) -> None:
    assert f"judged by the settings of this shell: {DIFFERS}" in run(data, "replay", "--check", status=1).stderr
    assert DIFFERS in run(data, "replay", "--dry-run").stderr
    assert DIFFERS in run(data, "load", "--once").stderr
    assert DIFFERS not in run(data, "load", "--once").stderr, "the last load was this shell's"


def test_settings_as_at_the_last_load_are_not_spoken_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME_CHARS, "400")
    assert run(data, "replay", "--check").stderr.count("judged by") == 0
    assert differing_settings(read_settings(data)) == []


def test_a_rebuild_is_a_load_of_the_whole_folder(data: Path) -> None:
    assert DIFFERS in run(data, "replay", "--all").stderr
    assert DIFFERS not in run(data, "replay", "--check").stderr


def test_write_keys_are_compared_without_being_told(data: Path) -> None:
    file = data / "onepath.toml"
    file.write_text(
        file.read_text("utf-8").replace("[project]", '[project]\nwrite_keys = ["key-of-the-school"]'), "utf-8"
    )
    assert any(clause.startswith("write_keys") for clause in differing_settings(read_settings(data)))
    run(data, "load", "--once")
    kept = (data / LOADED_SETTINGS_FILE).read_text("utf-8")
    assert "key-of-the-school" not in kept
    assert json.loads(kept)["max_name_chars"] == 255


def test_a_running_server_leaves_its_settings_and_judges_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path / "data")
    monkeypatch.setenv(NAME_CHARS, "400")
    with house.up():
        monkeypatch.delenv(NAME_CHARS)
        told = house.cli("replay")
        assert f"Judged by the server at {house.server} with its settings." in told.stdout
        assert "judged by the settings of this shell" not in told.stderr
    assert DIFFERS in house.cli("replay", "--check").stderr
