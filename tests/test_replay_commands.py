"""The commands around rejects, as a person runs them: look, mend, replay, rebuild and compare."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api import answering
from api.cli import app
from api.errors import ApiError
from api.rebuilding import rebuild_warehouse
from api.settings import read_settings
from ingest.record import Request
from tests.stories import NOON, StoryLog, device, event, login, native, post
from tests.waiting import DEADLINE_S
from warehouse.errors import WarehouseInUse

LONG = "课程报名之后的第一次直播课程体验活动 🎉 with the school"


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEPATH_DECODE__MAX_NAME_CHARS", "24")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    read_settings(folder)  # makes the project's file
    tell(
        folder,
        native(event("reach", device("d1"), NOON), event(LONG, device("d1") | login("小明"), NOON, plan="free")),
        native(event("pay", login("小明"), NOON, plan="paid", 渠道="微信")),
        post("/events", b"no JSON"),
    )
    run(folder, "load", "--once")
    return folder


def tell(folder: Path, *entries: Request) -> None:
    StoryLog(folder / "log").tell(*entries)


def run(folder: Path, *command: str, status: int = 0) -> str:
    result: Result = CliRunner().invoke(app, [*command, "--data", str(folder)])
    assert result.exit_code == status, (result.output, result.exception)
    return result.output


def mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEPATH_DECODE__MAX_NAME_CHARS")


def test_rejects_are_shown_in_kinds_then_one_by_one(data: Path) -> None:
    shown = run(data, "rejects")
    kinds, _, newest = shown.rpartition("name_too_long  ")
    assert "name_too_long" in kinds
    assert "课程报名" in kinds
    assert "message 1" in newest
    assert "onepath replay" in newest


def test_rejects_can_be_narrowed_and_read_by_programs(data: Path) -> None:
    answer = json.loads(run(data, "rejects", "--event", LONG, "--protocol", "native", "--json"))
    assert [(kind["reason"], kind["reject_count"]) for kind in answer["kinds"]] == [("name_too_long", 1)]
    assert [reject["message_index"] for reject in answer["rejects"]] == [1]
    assert json.loads(run(data, "rejects", "--reason", "time_too_old", "--json")) == {"kinds": [], "rejects": []}


def test_an_original_is_printed_whole_even_when_the_warehouse_dropped_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = run(data, "rejects", "--event", LONG, "--original")
    assert '"$identity_login_id": "小明"' in kept
    monkeypatch.setenv("ONEPATH_WAREHOUSE__MAX_REJECTS_BYTES", "1")
    (data / "default.duckdb").unlink()
    run(data, "load", "--once")
    [reject, _] = json.loads(run(data, "rejects", "--json"))["rejects"]
    assert (reject["original"], reject["is_original_dropped"]) == (None, True)
    assert run(data, "rejects", "--event", LONG, "--original") == kept


def test_a_replay_says_what_would_come_back_then_brings_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mend(monkeypatch)
    assert "1 event and 0 calls" in run(data, "replay", "--dry-run")
    assert "Would send 2 rejects" in run(data, "replay", "--dry-run")
    assert "No rejects to replay" in run(data, "replay", "--since", "2026-12-01")
    told = run(data, "replay")
    assert "Sent 2 rejects through again: 1 event and 0 calls" in told
    assert "1 unreadable_message" in told
    assert "1 persons" not in told
    assert run(data, "replay", "--check").count("A rebuild equals the warehouse") == 1


def test_arrivals_show_what_became_of_everything(data: Path) -> None:
    shown = run(data, "arrivals")
    assert "name_too_long" in shown
    assert "unreadable_message" in shown


def test_a_rebuild_is_compared_and_swapped_in(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mend(monkeypatch)
    differs = run(data, "replay", "--check", status=1)
    assert "A rebuild differs from the warehouse; nothing was changed." in differs
    assert sorted(each.name for each in data.iterdir() if "duckdb" in each.name) == ["default.duckdb"]
    told = run(data, "replay", "--all")
    assert "is rebuilt from the log" in told
    assert (data / "default.duckdb.before-replay").exists()
    assert "A rebuild equals the warehouse" in run(data, "replay", "--check")


HOLD_OPEN = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@contextlib.contextmanager
def held_open(data: Path) -> Iterator[Callable[[], None]]:
    """Another process has the warehouse until the block ends, or lets go of it when asked."""
    command = [sys.executable, "-c", HOLD_OPEN, str(data / "default.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"open\n"
        stdin = holder.stdin

        def let_go() -> None:
            stdin.close()
            holder.wait(DEADLINE_S)

        yield let_go
        stdin.close()


def test_a_rebuild_is_refused_while_another_process_has_the_warehouse(data: Path) -> None:
    with held_open(data):
        result = CliRunner().invoke(app, ["replay", "--all", "--data", str(data)])
    assert isinstance(result.exception, WarehouseInUse)


def test_a_question_waits_for_whoever_has_the_warehouse_open(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_open(data) as let_go:
        monkeypatch.setattr(answering, "_note_waiting", let_go)
        assert "课程报名" in run(data, "rejects")


def test_after_a_while_a_question_says_what_is_in_its_way(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "is open in another process, and no server on this folder answered within 0.3 seconds"
    with held_open(data), pytest.raises(ApiError, match=sentence), answering.answers(read_settings(data), 0.3):
        pass
    assert capsys.readouterr().err == "onepath: waiting for the server that is starting on this folder\n"


def test_a_rebuild_that_fails_leaves_the_old_warehouse_alone(data: Path) -> None:
    """As when the disk is full: nothing of the fresh file stays."""
    settings = read_settings(data)
    before = run(data, "rejects", "--json")

    def fail(*_told: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        rebuild_warehouse(settings, fail, is_check=False, keep=True)
    assert run(data, "rejects", "--json") == before
    assert sorted(each.name for each in data.iterdir() if "duckdb" in each.name) == ["default.duckdb"]
