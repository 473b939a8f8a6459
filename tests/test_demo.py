"""The whole path, walking: `onepath demo` as a person would run it, judged by what the story states.

Real SDKs, real processes, a small story. What the oracle computes from the statements must be what Onepath answers.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.main import get_command

from api.answering import answers
from api.asking import Ask, project_path
from api.cli import app
from api.demo.calls import Call
from api.demo.story import Story, tell
from api.offline import load_once
from api.settings import Settings, read_settings
from tests import doc_examples, story_oracle
from tests.waiting import DEADLINE_S

SCALE = 0.05
# The story's words for what it expects, and the collector's for what it did.
REASONS = {
    "too_old": "time_too_old",
    "too_new": "time_too_far_ahead",
    "empty_name": "missing_event_name",
    "no_identity": "missing_identity",
}
OUTCOMES = {"event": "event", "record": "call", "duplicate": "duplicate", "rejected": "rejected"}


@dataclass(frozen=True)
class Run:
    """One run of the demo: its folder and what it printed."""

    data: Path
    printed: str

    @property
    def settings(self) -> Settings:
        return read_settings(self.data, environment={})


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def run_demo(data: Path) -> Run:
    ports = ["--collector-port", free_port(), "--server-port", free_port()]
    command = [sys.executable, "-m", "api.cli", "demo", "--exit", "--scale", str(SCALE), "--data", str(data), *ports]
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return Run(data, done.stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo(tmp_path_factory.mktemp("demo") / "first")


@pytest.fixture(scope="module")
def ask(run: Run) -> Iterator[Ask]:
    with answers(run.settings) as (ask, backlog):
        assert backlog is not None
        assert backlog.record_count == 0, "the demo ended with everything loaded"
        yield ask


@pytest.fixture(scope="module")
def story() -> Story:
    return tell(scale=SCALE)


@pytest.fixture(scope="module")
def calls(story: Story) -> list[Call]:
    return list(story.calls())


def post(ask: Ask, run: Run, name: str, question: dict[str, Any]) -> Any:
    answer: Any = ask("POST", project_path(run.settings, name), question).json()
    return answer


def select(ask: Ask, run: Run, sql: str) -> list[dict[str, Any]]:
    answer = post(ask, run, "sql", {"sql": sql})
    assert not answer["is_cut"]
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]


@pytest.mark.slow
def test_two_runs_on_two_folders_print_the_same_numbers(run: Run, tmp_path: Path) -> None:
    again = run_demo(tmp_path / "second")
    assert run.printed == again.printed
    assert "Sales path by person" in run.printed


def test_everything_the_sdks_accepted_is_accounted_for(ask: Ask, run: Run, calls: list[Call]) -> None:
    stated = Counter(
        (call.protocol, call.record_type, OUTCOMES[call.outcome], REASONS.get(call.reason or "")) for call in calls
    )
    arrived: Counter[tuple[Any, ...]] = Counter()
    for row in ask("GET", project_path(run.settings, "arrivals")).json():
        reason = row["reason"] if row["outcome"] == "rejected" else None
        arrived[row["protocol"], row["record_type"], row["outcome"], reason] += row["message_count"]
    assert arrived == stated
    tables = "(select count(*) from events), (select count(*) from calls), (select count(*) from rejects)"
    counts = Counter(call.outcome for call in calls)
    [row] = select(ask, run, f"select {tables}")
    assert list(row.values()) == [counts["event"], counts["record"], counts["rejected"]]


def test_each_event_belongs_to_the_person_and_account_the_story_states(ask: Ask, run: Run, calls: list[Call]) -> None:
    stated = [call for call in calls if call.outcome == "event"]
    found = select(ask, run, "select epoch_ms(event_at) as at, person_id, account_id from events order by event_at")
    stated.sort(key=lambda call: call.event_at)
    assert [row["at"] for row in found] == [round(call.event_at.timestamp() * 1000) for call in stated]
    assert [row["account_id"] for row in found] == [call.account for call in stated]
    pairs = {(row["person_id"], call.person) for row, call in zip(found, stated, strict=True)}
    assert len(pairs) == len({person for person, _ in pairs}) == len({person for _, person in pairs})


def test_merges_persons_and_accounts_are_those_of_the_story(
    ask: Ask, run: Run, story: Story, calls: list[Call]
) -> None:
    outcomes = {row["outcome"]: row["n"] for row in select(ask, run, LINK_OUTCOMES)}
    assert outcomes["merged"] == story.merged_count == story_oracle.simulate(calls, story.retracted).merged
    assert outcomes["refused"] == story.refused_count > 0
    assert outcomes["retracted"] == len(story.retracted) > 0
    [persons] = select(ask, run, "select count(*) as persons from persons")
    assert persons == {"persons": len(story.persons)}
    counts = select(ask, run, "select account_type, count(*) as n from accounts group by all")
    assert {row["account_type"]: row["n"] for row in counts} == {
        "account": len(story.accounts),
        "family": len(story.families),
    }


def test_report_says_what_moved_when_a_wrong_link_was_taken_back(run: Run, story: Story, calls: list[Call]) -> None:
    before, after = story_oracle.simulate(calls), story_oracle.simulate(calls, story.retracted)
    moved = story_oracle.moved_events(calls, story.retracted)
    of_another_school = sum(one != other for one, other in zip(before.account_of, after.account_of, strict=True))
    printed = " ".join(run.printed.split())
    assert f"{moved} events and 2 identities moved to another person" in printed
    assert f"{of_another_school} events to another school" in printed
    assert f"{story.refused_count} links were refused" in printed


def test_each_event_of_a_family_is_its_own(ask: Ask, run: Run, calls: list[Call]) -> None:
    sql = "select epoch_ms(event_at) as at, account_id from account_events where account_type = 'family'"
    found = {row["at"]: row["account_id"] for row in select(ask, run, sql)}
    assert found == {round(call.event_at.timestamp() * 1000): call.family for call in calls if call.family}


LINK_OUTCOMES = "select outcome, count(*) as n from identity_links group by all"


@pytest.mark.parametrize("by", ["person", "account", "family"])
def test_sales_path_is_what_the_oracle_computes_from_the_statements(
    ask: Ask, run: Run, calls: list[Call], by: Any
) -> None:
    answer = post(ask, run, "sales-path", {"by": "account", "account_type": by} if by == "family" else {"by": by})
    expected = story_oracle.sales_path(calls, by)
    medians = [None, *(row.median_s_to_next for row in expected[:-1])]
    for stage, row, median in zip(answer["rows"], expected, medians, strict=True):
        assert stage["stage_name"] == row.name
        for name in ("entered", "reached", "skipped", "out_of_order", "furthest_here"):
            assert stage[name] == getattr(row, name), (row.name, name)
        assert stage["median_time_from_previous_s"] == pytest.approx(median), row.name


def test_retention_is_what_the_oracle_computes_from_the_statements(ask: Ask, run: Run, calls: list[Call]) -> None:
    answer = post(ask, run, "retention", {"interval": "week", "periods": 20, "mode": "first_time"})
    found: dict[str, list[int]] = {}
    for cell in answer["rows"]:
        if cell["cohort_size"]:
            found.setdefault(cell["cohort_start"][:10], []).append(cell["retained_count"])
    assert found == {day.isoformat(): counts for day, counts in story_oracle.weekly_retention(calls).items()}


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("sales-path", {"by": "person"}),
        ("sales-path", {"by": "account"}),
        ("retention", {"interval": "week", "periods": 8, "mode": "first_time"}),
        ("funnel", {"steps": [{"any_of": [{"event": "TrialStarted"}]}, {"any_of": [{"event": "ContractSigned"}]}]}),
    ],
)
def test_the_sql_of_an_answer_gives_its_numbers(ask: Ask, run: Run, name: str, question: dict[str, Any]) -> None:
    answer = post(ask, run, name, question)
    [statement] = answer["sql"]
    rows = select(ask, run, statement["sql"])
    if name in ("sales-path", "funnel"):
        assert rows == answer["rows"]
    else:
        assert [row["retained_count"] for row in rows] == [row["retained_count"] for row in answer["rows"]]


def test_replaying_the_log_gives_row_for_row_the_same_views(ask: Ask, run: Run, tmp_path: Path) -> None:
    replayed = tmp_path / "replayed"
    replayed.mkdir()
    shutil.copy(run.data / "onepath.toml", replayed)
    shutil.copytree(run.data / "log", replayed / "log")
    replay = Run(replayed, printed="")
    load_once(replay.settings)
    with answers(replay.settings) as (ask_replay, _):
        first, second = public_contents(ask, run), public_contents(ask_replay, replay)
    assert first.keys() == second.keys() >= {"events", "persons", "identities", "accounts", "rejects", "daily_activity"}
    for name in first:
        assert first[name] == second[name], name


def public_contents(ask: Ask, run: Run) -> dict[str, list[dict[str, Any]]]:
    """Every row of every public view and mart, in an order of its own."""
    names = [row["table_name"] for row in select(ask, run, PUBLIC_TABLES)]
    return {name: select(ask, run, f"select * from {name} order by all") for name in names}


PUBLIC_TABLES = """
select table_name
from information_schema.tables
where table_schema = 'main' and table_name <> 'schema_migrations'
order by table_name
"""


def test_every_example_of_the_documentation_runs_on_the_demo(ask: Ask, run: Run) -> None:
    onepath = get_command(app)
    asked_here = partial(nullcontext, (ask, None))
    with patch("api.answering.answers", lambda _: asked_here()), patch("api.client.answers", lambda _: asked_here()):
        for words in doc_examples.commands():
            is_plain = words[0] == "sql" or "--people" in words
            with redirect_stdout(StringIO()) as printed:
                given = [*words, *(() if is_plain else ("--format", "csv")), "--data", str(run.data)]
                onepath.main(given, standalone_mode=False)
            assert len(printed.getvalue().splitlines()) > 1, shlex.join(words)
        for program in doc_examples.programs():
            exec(program.replace("demo-data", str(run.data)), {})
    for request in doc_examples.requests():
        said = post(ask, run, request.path, request.body)
        assert said[0]["sql"] if request.path.endswith("/sql") else said.get("rows") or said.get("subjects"), request


def test_a_demo_on_a_used_folder_says_so_and_touches_nothing(run: Run) -> None:
    command = [sys.executable, "-m", "api.cli", "demo", "--exit", "--data", str(run.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        == f"onepath: the demo wants a fresh folder, and {run.data} is not empty; name another with --data"
    )
