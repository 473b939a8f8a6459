"""Plan and catalog as a newcomer meets them on the command line, and as the running server answers."""

import json
from pathlib import Path

import httpx
import pytest

from ingest.acts import append_act
from ingest.errors import LogInUse
from ingest.log.writer import LogWriter
from ingest.plan.plan import SET_PLAN
from ingest.plan.reading import read_plan_text
from ingest.record import OPERATOR_STREAM, Act
from tests.houses import House, house_like, told_house
from tests.stories import event, login, native
from tests.waiting import until

PLAN = """
mode: enforce
events:
  TrialStarted:
    properties:
      channel: {type: text, required: true, one_of: [web, school]}
"""
TEACHER = login("teacher-1")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A folder in which a trial has started once, and once by an app that spells the event badly."""
    started = native(event("TrialStarted", TEACHER, channel="web"), event("TrialStartd", TEACHER, channel="tv"))
    return told_house(tmp_path_factory.mktemp("template") / "data", started)


@pytest.fixture
def house(template: House, tmp_path: Path) -> House:
    """A folder like the template, of the test's own."""
    return house_like(template, tmp_path / "data")


def write_plan(house: House, text: str = PLAN) -> str:
    path = house.data / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_catalog_is_a_table_an_event_or_json(house: House) -> None:
    listed = house.cli("catalog").stdout
    assert "TrialStarted" in listed
    assert "TrialStartd" in listed
    one = house.cli("catalog", "--event", "TrialStarted").stdout
    assert "persons 1" in one
    assert "channel" in one
    answer = json.loads(house.cli("catalog", "--json").stdout)
    assert [each["event_name"] for each in answer["events"]] == ["TrialStartd", "TrialStarted"]
    assert answer["sql"][1]["name"] == "events"
    for options in ([], ["--json"]):
        misspelt = house.cli("catalog", "--event", "trialstar", *options)
        assert (misspelt.returncode, misspelt.stdout, misspelt.stderr) == (
            1,
            "",
            "onepath: No event is named 'trialstar': did you mean 'TrialStartd' or 'TrialStarted'?\n",
        )


def test_a_first_plan_is_learned_checked_and_applied(house: House) -> None:
    assert "No plan is in force" in house.cli("plan", "show").stdout
    refused = house.cli("plan", "check")
    assert (refused.returncode, refused.stderr) == (
        1,
        "onepath: no plan is in force; apply one, or post one to be checked\n",
    )
    learned = house.cli("plan", "learn").stdout
    plan = read_plan_text(learned, "learned.yaml")
    assert list(plan.events) == ["TrialStartd", "TrialStarted"]
    assert house.cli("plan", "check", write_plan(house, learned), "--strict").returncode == 0

    applied = house.cli("plan", "apply", write_plan(house), "--operator", "head office")
    assert applied.stdout.startswith("Applied plan.yaml (sha256 ")
    assert "mode enforce" in applied.stdout
    assert house.cli("load", "--once").returncode == 0
    shown = house.cli("plan", "show").stdout
    assert shown.startswith("# plan.yaml, applied ")
    assert "by head office" in shown
    assert read_plan_text(shown, "shown") == read_plan_text(PLAN, "plan.yaml")


def test_a_check_says_what_deviates_and_fails_when_strict(house: House) -> None:
    path = write_plan(house)
    table = house.cli("plan", "check", path)
    assert table.returncode == 0
    assert "undeclared_event" in table.stdout
    assert "did you mean 'TrialStarted'?" in " ".join(table.stdout.split())
    assert house.cli("plan", "check", path, "--strict").returncode == 1
    answer = json.loads(house.cli("plan", "check", path, "--json").stdout)
    assert [each["kind"] for each in answer["deviations"]] == ["undeclared_event"]


def test_a_wrong_file_is_explained_and_never_applied(house: House) -> None:
    wrong = house.cli("plan", "apply", write_plan(house, "mode: strict\n"))
    assert wrong.returncode == 1
    assert wrong.stderr == "onepath: plan.yaml: mode is 'strict'; write one of learn, warn, enforce\n"
    missing = house.cli("plan", "apply", str(house.data / "none.yaml"))
    assert missing.returncode == 1
    assert "none.yaml cannot be read: No such file or directory" in missing.stderr
    assert house.cli("load", "--once").returncode == 0
    assert "No plan is in force" in house.cli("plan", "show").stdout


def test_an_act_waits_for_another_that_is_being_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    other = LogWriter(log, OPERATOR_STREAM)
    act = Act(SET_PLAN, "head office", {"plan": {}})
    with pytest.raises(LogInUse):
        append_act(log, act, patience_s=0)
    other.close()
    assert append_act(log, act) > 0


def test_a_running_server_applies_a_plan_and_judges_by_it(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    with house.up():
        applied = house.cli("plan", "apply", write_plan(house))
        assert applied.returncode == 0, applied.stderr
        reasons: list[str] = []

        def is_refused() -> bool:
            body = [event("TrialStarted", TEACHER, channel="tv")]
            assert httpx.post(f"{house.collector}/events", json=body).is_success
            reasons[:] = [each["reason"] for each in httpx.get(f"{house.project}/rejects").json()]
            return bool(reasons)

        until(is_refused, "the plan takes force, a second after it was applied", every_s=0.1)
        assert set(reasons) == {"value_not_allowed"}
        plan = httpx.get(f"{house.project}/plan").json()
        assert (plan["file_name"], plan["plan"]["mode"]) == ("plan.yaml", "enforce")
        check = httpx.get(f"{house.project}/plan/check").json()
        assert "refused" in {each["kind"] for each in check["deviations"]}

        wrong = httpx.post(f"{house.project}/plan", json={"plan": {"mode": "strict"}, "file_name": "x"})
        assert (wrong.status_code, wrong.json()["detail"]) == (
            422,
            "x: mode is 'strict'; write one of learn, warn, enforce",
        )
        posted = httpx.post(f"{house.project}/plan", json={"plan": {"mode": "learn"}, "operator": "script"})
        assert posted.json()["mode"] == "learn"
        until(
            lambda: httpx.get(f"{house.project}/plan").json()["plan"]["mode"] == "learn", "the posted plan is in force"
        )
        assert httpx.get(f"{house.project}/plan").json()["operator"] == "script"
        assert httpx.get(f"{house.server}/api/v1/projects/other/plan").status_code == 404
        assert httpx.get(f"{house.project}/catalog?examples=0").status_code == 422
