"""A plan refused what was right, was mended, and the messages came back: what a rebuild then says of them."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from api.settings import read_settings
from ingest.plan.plan import SET_PLAN
from ingest.record import Act
from tests.stories import NOON, NOON_US, SECOND_US, StoryLog, device, event, native

AGAIN = "2 messages are refused again by the plan that was in force when they came; run `onepath replay` afterwards."


def plan(*names: str) -> Act:
    declared: dict[str, Any] = {name: {} for name in names}
    return Act(SET_PLAN, "ops", {"plan": {"mode": "enforce", "events": declared}, "file_name": "p", "sha256": "0" * 64})


def run(folder: Path, *command: str, status: int = 0) -> str:
    result: Result = CliRunner().invoke(app, [*command, "--data", str(folder)])
    assert result.exit_code == status, (result.output, result.exception)
    return result.output


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody had declared Paid and Left; Paid is declared now, and what was refused was sent through again."""
    monkeypatch.setenv("COLUMNS", "120")
    folder = tmp_path / "data"
    read_settings(folder)
    log = StoryLog(folder / "log")
    log.tell(plan("Opened"))
    sent = (event("Opened", device("d1"), NOON), event("Paid", device("d1"), NOON), event("Paid", device("d2"), NOON))
    log.tell(native(*sent), native(event("Left", device("d1"), NOON)), start_us=NOON_US + 5 * SECOND_US)
    run(folder, "load", "--once")
    log.tell(plan("Opened", "Paid"), start_us=NOON_US + 60 * SECOND_US)
    log.tell(native(event("Paid", device("d3"), NOON)), start_us=NOON_US + 70 * SECOND_US)
    run(folder, "load", "--once")
    assert "2 events" in run(folder, "replay")
    return folder


def test_a_check_after_a_mended_plan_names_the_cause_and_succeeds(data: Path) -> None:
    told = run(data, "replay", "--check")
    assert AGAIN in told
    assert "Nothing else differs: after that replay a rebuild equals the warehouse; nothing was changed." in told


def test_a_rebuild_says_that_a_replay_must_follow_and_then_all_is_as_before(data: Path) -> None:
    before = run(data, "sql", "select event_name, person_id from events order by all", "--format", "csv")
    assert AGAIN in run(data, "replay", "--all")
    assert "2 events" in run(data, "replay")
    assert run(data, "sql", "select event_name, person_id from events order by all", "--format", "csv") == before
    assert "Nothing else differs" in run(data, "replay", "--check")


def test_a_check_still_fails_when_something_else_differs(data: Path) -> None:
    """Somebody keeps less of what is refused, without loading anew."""
    told = CliRunner().invoke(
        app, ["replay", "--check", "--data", str(data)], env={"ONEPATH_DECODE__MAX_ORIGINAL_BYTES": "5"}
    )
    assert told.exit_code == 1
    assert AGAIN in told.output
    assert "A rebuild differs from the warehouse; nothing was changed." in told.output
