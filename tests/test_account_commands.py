"""Accounts on the command line: an operator puts a teacher into a school, merges two schools, and takes it back."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.account_acts import moment_details
from tests.account_stories import group
from tests.houses import House, house_like, told_house
from tests.stories import NOON, event, login, native

LI, WANG = login("li"), login("wang")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A folder in which Li has signed for school S1, and Wang, whose school is S1 written otherwise, was looking."""
    signed = native(event("sign", LI, account_id="S1"), event("look", WANG, account_id="S-1"))
    family = native({**group(LI, None, NOON), "accounts": {"family": "F1"}})
    return told_house(tmp_path_factory.mktemp("template") / "data", signed, family)


@pytest.fixture
def house(template: House, tmp_path: Path) -> House:
    """A folder like the template, of the test's own."""
    return house_like(template, tmp_path / "data")


def shown(house: House, *words: str) -> dict[str, Any]:
    """The account as the command prints it for programs."""
    answer: dict[str, Any] = json.loads(house.cli("account", "show", *words, "--json").stdout)
    return answer


def test_members_come_and_go(house: House) -> None:
    added = house.cli("account", "add-member", "class", "C1", "$identity_login_id=li", "--at", "2026-09-01")
    assert added.stdout == "Written to the log: add_member. It counts from the next load on.\n"
    assert (
        house.cli("account", "end-member", "class", "C1", "$identity_login_id=li", "--at", "2026-09-08").returncode == 0
    )
    assert house.cli("load", "--once").returncode == 0
    found = shown(house, "class", "C1")
    assert (found["person_count"], found["member_count"], found["event_count"]) == (0, 1, 0)
    [period] = found["memberships"]
    assert (period["joined_at"], period["left_at"]) == ("2026-08-31T16:00:00", "2026-09-07T16:00:00")
    table = house.cli("account", "show", "class", "C1").stdout
    assert "class C1" in table
    assert "0 now, 1 ever" in table
    assert "2026-08-31 16:00:00" in table


def test_a_merge_is_looked_at_made_and_taken_back(house: House) -> None:
    merge = ("account", "merge", "account", "S-1", "S1")
    foretold = house.cli(*merge, "--dry-run").stdout
    assert foretold == "1 member, 1 membership and 1 event of account S-1 would count for S1.\n"
    assert shown(house, "account", "S1")["event_count"] == 1
    assert house.cli(*merge).returncode == 0
    assert house.cli("account", "rename", "account", "S1", "No. 1").returncode == 0
    assert house.cli("load", "--once").returncode == 0
    merged = shown(house, "account", "S1")
    assert (merged["name"], merged["event_count"], merged["person_count"]) == ("No. 1", 2, 2)
    assert shown(house, "account", "S-1")["merged_into"] == "S1"
    assert "counts for S1 already" in house.cli(*merge, "--dry-run").stdout
    assert house.cli("account", "unmerge", "account", "S-1").returncode == 0
    assert house.cli("load", "--once").returncode == 0
    assert shown(house, "account", "S1")["event_count"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add-member", "class", "C1", "li"), "'li' names no identity: write KEY=VALUE, such as '$identity_login_id="),
        (("add-member", "class", "C1", "a=b", "--at", "soon"), "--at 'soon' is no time; write one such as 2026-09-01"),
        (("merge", "account", "S1", "S1"), "account 'S1' is to be merged into itself; name another one; nothing was"),
        (("show", "account", "S9"), "No account of the type 'account' has the id 'S9'."),
        (("show", "clas", "C1"), "No account has the type 'clas'; types seen so far: 'account', 'family'."),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(house: House, words: tuple[str, ...], said: str) -> None:
    refused = house.cli("account", *words)
    assert refused.returncode == 1
    assert said in " ".join(refused.stderr.split())


def test_questions_take_a_type_of_accounts(house: House) -> None:
    refused = house.cli("sales-path", "--by", "account", "--account-type", "clas")
    assert "types seen so far: 'account', 'family'." in " ".join(refused.stderr.split())
    assert house.cli("funnel", "sign", "--by", "account", "--account-type", "family").returncode == 0


def test_a_moment_without_a_zone_is_local() -> None:
    assert moment_details("1970-01-02T08:00", "Asia/Shanghai") == {"at_us": 86_400_000_000}
    assert moment_details("1970-01-02T00:00Z", "Asia/Shanghai") == {"at_us": 86_400_000_000}
    assert moment_details(None, "Asia/Shanghai") == {}
