"""One-ID on the command line: a shared tablet is explained, a mistyped phone is taken back, a till is blocked."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.houses import Done, House, house_like, keep, told_house
from tests.stories import FixedClock, device, event, login, mobile, native

TABLET, LI, WANG = device("tablet"), login("li"), login("wang")
CHEN, GAO, PHONE = login("chen"), {"crm_id": "gao-7"}, mobile("13900000001")
STORY = (
    event("look", TABLET),
    event("login", {**LI, **TABLET}),
    event("login", {**WANG, **TABLET}),
    event("enrol", {**CHEN, **PHONE}, account_id="chen"),
    event("call", GAO, account_id="gao"),
    event("call", {**GAO, **PHONE}, account_id="gao"),  # whoever took the call mistyped the number
    *(event("buy", {"crm_id": f"customer-{number}", **device("till")}) for number in range(3)),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A folder in which the story is loaded."""
    return told_house(tmp_path_factory.mktemp("template") / "data", *map(native, STORY))


@pytest.fixture
def house(template: House, tmp_path: Path) -> House:
    """A folder like the template, of the test's own."""
    return house_like(template, tmp_path / "data")


def identity(house: House, *words: str) -> Done:
    """`onepath identity` on a terminal of 80 columns."""
    return house.cli("identity", *words, COLUMNS="80")


def why(house: House, person: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(identity(house, "why", person, "--json").stdout)
    return answer


def person_of(house: House, person: str) -> str:
    return str(why(house, person)["person_id"])


def link_of(house: House, person: str) -> str:
    """The link by which the last identity of a person came in."""
    return str(why(house, person)["identities"][-1]["link"]["link_id"])


def count_acts(house: House) -> int:
    return int(house.cli("sql", "select count(*) from acts", "--format", "csv").stdout.split()[-1])


def test_why_tells_of_a_shared_tablet_in_words(house: House) -> None:
    told = identity(house, "why", "li").stdout
    for line in (
        "  anonymous_id=tablet\n",
        "    founded the person: seen first\n",
        "    joined: login_id=li was new\n",
        "1 link does not count:\n",
        "  anonymous_id=tablet – login_id=wang\n",
        "    refused: a person has one login_id, and each of the two had its own\n",
        f"    the other belongs to person {person_of(house, 'wang')}\n",
    ):
        assert line in told
    assert max(map(len, told.splitlines())) <= 80


def test_a_mistyped_phone_is_taken_back_and_the_link_restored(house: House) -> None:
    chen = person_of(house, "chen")
    assert person_of(house, "gao-7") == chen
    link_id = link_of(house, "gao-7")
    tried = identity(house, "retract", link_id, "--dry-run")
    assert tried.stdout.startswith("1 identity changes person; 1 event changes person;")
    assert "crm_id=gao-7" in tried.stdout
    assert "Nothing was changed." in tried.stdout
    assert count_acts(house) == 0
    done = identity(house, "retract", link_id, "--yes", "--operator", "head office")
    assert "Done: the act is in the log, and loaded.\nAll numbers are as foreseen.\n" in done.stdout
    assert person_of(house, "chen") == chen != person_of(house, "gao-7")
    assert "head office took back crm_id=gao-7 – mobile=13900000001" in identity(house, "why", "gao-7").stdout
    assert "is taken back already" in identity(house, "retract", link_id, "--yes").stderr
    assert identity(house, "restore", link_id, "--yes").returncode == 0
    assert person_of(house, "gao-7") == chen


def test_an_act_is_asked_for_first(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = identity(house, "split", "crm_id=gao-7")
    assert refused.returncode == 1
    assert "Write it into the log? [y/N]" in refused.stdout + refused.stderr
    assert count_acts(house) == 0


def test_identities_leave_their_person_and_come_back(house: House) -> None:
    together = person_of(house, "chen")
    assert identity(house, "split", "crm_id=gao-7", "--yes").returncode == 0
    assert person_of(house, "gao-7") != together
    assert identity(house, "join", "crm_id=gao-7", "--yes").returncode == 0
    assert person_of(house, "gao-7") == together


def test_a_till_is_blocked_and_unblocked(house: House) -> None:
    assert len(why(house, "till")["identities"]) == 4
    blocked = identity(house, "block", "till", "--yes").stdout
    assert "persons" in blocked
    assert len(why(house, "till")["identities"]) == 1
    assert len({person_of(house, f"customer-{number}") for number in range(3)}) == 3
    assert "blocked: an operator blocked one of the two values" in identity(house, "why", "customer-1").stdout
    assert identity(house, "unblock", "till", "--yes").returncode == 0
    assert len(why(house, "till")["identities"]) == 4


def test_what_moves_nobody_is_said_to(house: House) -> None:
    assert identity(house, "block", "till-9", "--dry-run").stdout == "Nobody moves by that.\nNothing was changed.\n"


def test_rules_are_shown_tried_and_set(house: House, tmp_path: Path) -> None:
    assert identity(house, "rules", "show").stdout.startswith("No rules were set: the defaults hold.\n")
    file = tmp_path / "rules.yaml"
    file.write_text("keys:\n  crm_id: {limit: 2}\n", encoding="utf-8")
    tried = identity(house, "rules", "apply", str(file), "--dry-run").stdout
    assert "keys.crm_id.limit  500     2" in tried
    assert "Nothing was changed." in tried
    assert "rules.yaml holds for what arrives from " in identity(house, "rules", "apply", str(file)).stdout
    assert house.cli("load", "--once").returncode == 0
    shown = identity(house, "rules", "show").stdout
    assert "# rules.yaml, set " in shown
    assert "to 2" in shown
    narrower = tmp_path / "narrower.yaml"
    narrower.write_text("scheme: one_to_one\n", encoding="utf-8")
    assert "scheme 'one_to_one' is narrower than 'graph'" in identity(house, "rules", "apply", str(narrower)).stderr
    assert count_acts(house) == 1


def test_alarms_name_who_stopped_growing(house: House, tmp_path: Path) -> None:
    assert identity(house, "alarms").stdout == "No person has reached a limit.\n"
    file = tmp_path / "rules.yaml"
    file.write_text("keys:\n  crm_id: {limit: 3}\n", encoding="utf-8")
    assert identity(house, "rules", "apply", str(file)).returncode == 0
    # Long after the rules were set, by the clock of this machine.
    bought = native(event("buy", {"crm_id": "customer-9", **device("till")}))
    keep(house.data, bought, clock_us=FixedClock(4_000_000_000_000_000))
    assert house.cli("load", "--once").returncode == 0
    [alarm] = json.loads(identity(house, "alarms", "--json").stdout)
    assert (alarm["identity_key"], alarm["value_count"], alarm["refused_count"]) == ("crm_id", 3, 1)
    assert alarm["person_id"] == person_of(house, "till")
    told = identity(house, "alarms").stdout
    assert f"1  2096-10-02 07:06:40  {alarm['person_id'][:13]}" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("why", "zhao"), "nobody has the person id, the identity or the value 'zhao'; look among"),
        (("retract", "0"), "no link has the id '0'; `onepath identity why PERSON` shows those of a person"),
        (("split", "li"), "'li' names no identity: write KEY=VALUE"),
        (("unblock", "till"), "'till' is not blocked"),
        (("rules", "apply", "none.yaml"), "none.yaml cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(house: House, words: tuple[str, ...], said: str) -> None:
    done = identity(house, *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_acts_work_while_the_server_runs(house: House) -> None:
    with house.up():
        done = identity(house, "split", "crm_id=gao-7", "--yes", "--operator", "head office")
        assert "All numbers are as foreseen." in done.stdout
        assert person_of(house, "gao-7") != person_of(house, "chen")
        request = {"act": "join_person", "names": ["crm_id=gao-7"], "is_dry_run": True}
        foretold = httpx.post(f"{house.project}/identity/acts", json=request).json()
        assert foretold["is_written"] is False
        assert [each["identity_value"] for each in foretold["foreseen"]["moved"]["identities"]] == ["gao-7"]
        assert httpx.get(f"{house.project}/persons/zhao/why").status_code == 404
        unknown = httpx.post(f"{house.project}/identity/acts", json={"act": "retract_link", "names": ["0"]})
        assert unknown.status_code == 422
        metrics = httpx.get(f"{house.server}/metrics").text
        assert 'onepath_identity_refused_links{reason="single_value"} 1.0' in metrics
        assert 'onepath_identity_refused_links{reason="over_limit"} 0.0' in metrics
