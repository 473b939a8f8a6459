"""A person who was forgotten does not come back: not by a rebuild, a restart, or older files that are restored."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from api import forgetting
from api.settings import read_settings
from ingest.log.sealing import seal_stream
from tests.forgetting import found_in
from tests.forgotten_life import (
    ANNAS,
    ask,
    decoding_here,
    delete,
    folder_of,
    ignore,
    life,
    of_others,
    person_of,
    previewed,
    run,
)
from tests.stories import StoryLog, event, login, native
from warehouse.rebuild import kept_path


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("life") / "data", life())


@pytest.fixture
def data(loaded: Path, tmp_path: Path) -> Path:
    """A folder of its own in which all of their lives are loaded."""
    shutil.copytree(loaded, tmp_path / "data")
    return tmp_path / "data"


def test_nothing_comes_back_by_a_rebuild_or_a_restart(data: Path) -> None:
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    delete(data)
    run(data, "replay", "--check")
    run(data, "replay", "--all", "--no-keep")
    run(data, "load", "--once")
    assert of_others(data, anna) == before
    assert found_in(data, ANNAS) == {}


def test_an_older_log_file_that_is_restored_is_erased_again(data: Path, tmp_path: Path) -> None:
    seal_stream(data / "log", "collector")
    shutil.copytree(data / "log" / "collector", tmp_path / "backup")
    delete(data)
    for path in (tmp_path / "backup").glob("*.log"):
        shutil.copy2(path, data / "log" / "collector" / path.name)
    assert found_in(data, ANNAS) != {}
    run(data, "sql", "select 1")
    assert found_in(data, ANNAS) == {}


def test_an_older_warehouse_that_is_restored_is_rebuilt(data: Path, tmp_path: Path) -> None:
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    shutil.copy2(data / "default.duckdb", tmp_path / "backup.duckdb")
    delete(data)
    shutil.copy2(tmp_path / "backup.duckdb", data / "default.duckdb")
    assert ask(data, "select count(*) as n from identities where identity_value = 'anna-login'") == [(0,)]
    assert of_others(data, anna) == before
    assert found_in(data, ANNAS) == {}


def test_an_older_log_and_warehouse_forget_again_by_the_ledger(data: Path, tmp_path: Path) -> None:
    seal_stream(data / "log", "collector")
    shutil.copytree(data, tmp_path / "backup")
    delete(data)
    shutil.rmtree(data / "log")
    shutil.copytree(tmp_path / "backup" / "log", data / "log")
    shutil.copy2(tmp_path / "backup" / "default.duckdb", data / "default.duckdb")
    assert found_in(data, ANNAS) != {}
    run(data, "load", "--once")
    assert found_in(data, ANNAS) == {}
    [(details,)] = ask(data, "select details from acts where act = 'delete_person'")
    assert "until_us" in details


class Killed(BaseException):
    """As a SIGKILL: nothing is caught on its way."""


@pytest.mark.parametrize("step", ["erase_from_log", "rebuild_warehouse"])
def test_a_deletion_that_is_killed_is_finished_by_the_next_start(
    data: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    settings = read_settings(data)
    preview = previewed(settings)

    def die(*_arguments: Any, **_named: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, step, die)
        with decoding_here(), pytest.raises(Killed):
            forgetting.delete_person(settings, preview, "head office", ignore, lambda _behind, _report: None)
    run(data, "load", "--once")
    assert found_in(data, ANNAS) == {}
    assert ask(data, "select act, operator from acts where act = 'delete_person'") == [("delete_person", "head office")]


def test_earlier_copies_of_the_warehouse_go_too(data: Path) -> None:
    run(data, "replay", "--all")
    kept = kept_path(data / "default.duckdb")
    assert kept.exists()
    delete(data)
    assert not kept.exists()
    assert found_in(data, ANNAS) == {}


def test_who_comes_back_is_a_person_without_a_past_under_the_same_id(data: Path) -> None:
    delete(data)
    clock_us = 2 * 10**15  # long after the deletion
    StoryLog(data / "log").append(native(event("open", login("anna-login"))), clock_us, "collector-2")
    run(data, "load", "--once")
    run(data, "replay", "--all", "--no-keep")
    anna = person_of(data, "$identity_login_id", "anna-login")
    assert ask(data, f"select event_name from events where person_id::varchar = '{anna}'") == [("open",)]
    assert "anna-device-1" not in found_in(data, ANNAS)
