"""Why somebody is one person: told of a shared tablet, of a mistyped phone number, of a till, and of random stories."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given

from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.message import Identity
from ingest.record import Act, Request
from tests.examples import histories
from tests.identity_oracle import Pair, Said
from tests.stories import (
    NOON_US,
    SECOND_US,
    StoryLog,
    device,
    event,
    load_story,
    login,
    mobile,
    native,
    retraction,
    rows,
    told,
    unbind,
)
from tests.test_one_id_graph import HISTORIES, RETRACTIONS
from tests.test_one_id_warehouse import acts_of, append
from tests.test_one_id_warehouse import told as one_a_second
from warehouse.errors import CannotAct, NoSuchPerson
from warehouse.one_id.acting import details_of
from warehouse.one_id.explaining import PersonWhy, explain_person
from warehouse.one_id.finding import find_person
from warehouse.statements import read_statement
from warehouse.warehouse import Warehouse

SOME = histories(2)
TABLET, LI, WANG = device("tablet"), login("li"), login("wang")
CHEN, PHONE = login("chen"), mobile("13900000001")


def crm(number: str) -> dict[str, str]:
    """A contact of the CRM, of whom a person may have many."""
    return {"crm_id": number}


GAO = crm("gao-7")


def said(name: str, *who: dict[str, str]) -> Request:
    """An event that carries all these identities."""
    return native(event(name, {key: value for each in who for key, value in each.items()}))


def why(warehouse: Warehouse, wanted: str) -> PersonWhy:
    with warehouse.snapshot() as snapshot:
        return explain_person(snapshot, find_person(snapshot, wanted))


def told_identities(answer: PersonWhy) -> list[tuple[str, str]]:
    return [(each.identity_value, each.why) for each in answer.identities]


@pytest.fixture
def tablet(tmp_path: Path) -> Warehouse:
    """Li, then Wang, log in on the tablet of the classroom."""
    return told(tmp_path, said("look", TABLET), said("login", LI, TABLET), said("login", WANG, TABLET))


def test_a_shared_tablet_stays_with_who_logged_in_first(tablet: Warehouse) -> None:
    answer = why(tablet, "li")
    assert told_identities(answer) == [
        ("tablet", "founded the person: seen first"),
        ("li", "joined: login_id=li was new"),
    ]
    link = answer.identities[1].link
    assert link is not None
    assert (link.message, link.protocol, link.to_value, link.to_person_id) == (
        "login",
        "native",
        "tablet",
        answer.person_id,
    )
    [refused] = answer.unlinked
    assert (refused.from_value, refused.to_value, refused.outcome, refused.reason) == (
        "tablet",
        "wang",
        "refused",
        "single_value",
    )
    assert refused.why == "a person has one login_id, and each of the two had its own"
    assert refused.to_person_id == why(tablet, "wang").person_id != answer.person_id
    assert [each.to_value for each in why(tablet, "wang").unlinked] == ["tablet"]


FAMILIES = (
    said("enrol", CHEN, PHONE),
    said("call", GAO),
    said("call again", GAO, PHONE),  # whoever took the call mistyped the number
    said("pay", CHEN),
)


def test_a_mistyped_phone_number_merges_two_families_until_it_is_taken_back(tmp_path: Path) -> None:
    merged = told(tmp_path / "before", *FAMILIES)
    answer = why(merged, "gao-7")
    assert told_identities(answer) == [
        ("chen", "founded the person: seen first"),
        ("13900000001", "joined: login_id=chen and mobile=13900000001 were new"),
        ("gao-7", "merged: both were known"),
    ]
    link = answer.identities[2].link
    assert link is not None
    assert link.message == "call again"
    with merged.snapshot() as snapshot:
        details = details_of(snapshot, "retract_link", [link.link_id])
    apart = told(tmp_path / "after", *FAMILIES, Act("retract_link", "head office", details))
    gaos = why(apart, "crm_id=gao-7")
    assert told_identities(gaos) == [("gao-7", "founded the person: seen first")]
    [retracted] = gaos.unlinked
    assert (retracted.link_id, retracted.why) == (link.link_id, "an operator took it back")
    assert retracted.to_person_id == why(apart, "chen").person_id == answer.person_id
    [act] = gaos.acts
    assert (act.operator, act.what) == ("head office", "took back crm_id=gao-7 – mobile=13900000001")


def test_a_blocked_till_holds_nobody_together(tmp_path: Path) -> None:
    sales = [said("buy", crm(f"customer-{number}"), device("till")) for number in range(3)]
    assert len(why(told(tmp_path / "before", *sales), "till").identities) == 4
    block = Act("block_value", "head office", {"key": None, "value": "till"})
    blocked = told(tmp_path / "after", *sales, block)
    answer = why(blocked, "till")
    assert told_identities(answer) == [("till", "founded the person: seen first")]
    assert {each.why for each in answer.unlinked} == {"an operator blocked one of the two values"}
    assert answer.unlinked_count == 3
    assert [act.what for act in answer.acts] == ["blocked till"]
    with blocked.snapshot() as snapshot:
        assert [each.to_value for each in explain_person(snapshot, answer.person_id, limit=1).unlinked] == [
            "customer-2"
        ]


LIMITED = {"keys": {"crm_id": {"limit": 2}}}


@pytest.fixture
def full(tmp_path: Path) -> Warehouse:
    """By the rules a person has at most two contacts of the CRM; the till brings a third."""
    log = StoryLog(tmp_path)
    details = {"rules": LIMITED, "file_name": "rules.yaml"}
    log.append(Act(SET_IDENTITY_RULES, "head office", details), NOON_US, "operator")
    for number in range(4):
        request = said("buy", crm(f"customer-{number}"), device("till"))
        log.append(request, NOON_US + (5 + number) * SECOND_US)
    return load_story(log)


def test_who_reached_a_limit_is_an_alarm(full: Warehouse) -> None:
    answer = why(full, "till")
    assert [each.why for each in answer.unlinked] == [
        "a person has at most 2 of crm_id, and together they had more",
    ] * 2
    assert [act.what for act in answer.acts] == ["set identity rules of rules.yaml"]
    with full.snapshot() as snapshot:
        [alarm] = snapshot.query(read_statement("one_id/persons_at_limit")).to_pylist()
    assert (alarm["identity_key"], alarm["person_id"]) == ("crm_id", answer.person_id)
    assert (alarm["value_count"], alarm["refused_count"]) == (2, 2)


def test_an_unbound_phone_says_why_it_is_free_and_comes_back_as_another(tmp_path: Path) -> None:
    warehouse = told(tmp_path, said("enrol", CHEN, PHONE), unbind({**CHEN, **PHONE}), said("enrol", WANG, PHONE))
    assert rows(warehouse, "select identity_value, incarnation, unbound_because from identities order by all") == [
        ("13900000001", 0, "unbound"),
        ("13900000001", 1, None),
        ("chen", 0, "unbound"),
        ("wang", 0, None),
    ]
    with pytest.raises(NoSuchPerson, match="was freed and belongs or belonged to 2 persons; name one by its id"):
        why(warehouse, "mobile=13900000001")
    [_, phone] = why(warehouse, "chen").identities
    assert (phone.is_unbound, phone.unbound_because) == (True, "unbound")


def test_a_device_that_is_called_like_a_login_is_it(tmp_path: Path) -> None:
    warehouse = told(tmp_path, said("look", device("li")), said("look", login("li")))
    assert told_identities(why(warehouse, "login_id=li"))[1] == (
        "li",
        "the same value as a device's and as a login's",
    )


def test_a_person_is_found_by_what_is_at_hand(tablet: Warehouse) -> None:
    [(person_id,)] = rows(tablet, "select person_id from identities where identity_value = 'li'")
    for wanted in (person_id, person_id[:10], person_id.upper(), "login_id=li", "$identity_login_id=li", "li"):
        assert why(tablet, wanted).person_id == person_id
    with tablet.snapshot() as snapshot, pytest.raises(NoSuchPerson, match="nobody has the person id or the identity"):
        find_person(snapshot, person_id[:10], exactly=True)
    with pytest.raises(NoSuchPerson, match="nobody has the person id, the identity or the value 'zhao'"):
        why(tablet, "zhao")


def test_a_value_of_two_persons_is_named_more_closely(tmp_path: Path) -> None:
    warehouse = told(tmp_path, said("look", crm("7")), said("look", device("7")))
    with pytest.raises(NoSuchPerson, match=r"2 identities of several persons; .*anonymous_id=7 or crm_id=7"):
        why(warehouse, "7")


def test_an_act_names_what_is_there(tablet: Warehouse) -> None:
    [(link_id,)] = rows(tablet, "select link_id from identity_links where outcome = 'joined'")
    link = {
        "left": {"key": "$identity_anonymous_id", "value": "tablet"},
        "right": {"key": "$identity_login_id", "value": "li"},
    }
    with tablet.snapshot() as snapshot:
        assert details_of(snapshot, "retract_link", [link_id]) == link
        assert details_of(snapshot, "split_person", ["login_id=li"]) == {"links": [link]}
        assert details_of(snapshot, "block_value", ["a=b"]) == {"key": None, "value": "a=b"}
        assert details_of(snapshot, "block_value", ["login_id=li"]) == {"key": "$identity_login_id", "value": "li"}
        for act, names, said_why in (
            ("retract_link", ["0"], "no link has the id '0'"),
            ("retract_link", [], "0 names were given; give one link_id"),
            ("restore_link", [link_id], "was not taken back: it is joined"),
            ("split_person", ["li"], "'li' names no identity: write KEY=VALUE"),
            ("split_person", ["login_id=zhao"], "nobody was ever called login_id=zhao"),
            ("split_person", ["login_id=wang"], "there is nothing to split"),
            ("join_person", ["login_id=li"], "no link of that was taken back"),
            ("unblock_value", ["till"], "'till' is not blocked"),
        ):
            with pytest.raises(CannotAct, match=said_why):
                details_of(snapshot, act, names)  # type: ignore[arg-type]  # each is one of them


def test_links_have_the_same_id_on_every_replay(tmp_path: Path) -> None:
    """However the log is cut into loads, and whoever's clock wrote it."""
    log = StoryLog(tmp_path)
    log.tell(*FAMILIES)
    ids = "select link_id, left_identity_value, right_identity_value from identity_links order by all"
    found = rows(load_story(log), ids)
    assert found == rows(load_story(log, load_max_bytes=100), ids)
    assert found == rows(told(tmp_path / "again", *FAMILIES, retraction(GAO, PHONE)), ids)
    assert len({link_id for link_id, _, _ in found}) == 2


@SOME
@given(HISTORIES, RETRACTIONS)
def test_links_lead_from_the_founder_to_every_identity(
    history: Sequence[Said], retracted: list[frozenset[Pair]]
) -> None:
    """Whatever was said, unbound and taken back: each identity but the founder came by a link to one told before it."""
    with TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        for number, each in enumerate(one_a_second(history)):
            append(log, each, number)
        for number, act in enumerate(acts_of(retracted, [])):
            log.append(act, NOON_US + (len(history) + number) * SECOND_US)
        warehouse = load_story(log)
        for (person_id,) in rows(warehouse, "select cast(person_id as varchar) from persons"):
            assert_is_told_whole(warehouse, person_id)


def assert_is_told_whole(warehouse: Warehouse, person_id: str) -> None:
    answer = why(warehouse, person_id)
    told_before = set[Identity]()
    for number, each in enumerate(answer.identities):
        assert each.is_founder == (number == 0) == (each.link is None)
        if each.link is not None:
            assert Identity(each.link.to_key, each.link.to_value) in told_before
            assert each.link.to_person_id == person_id
        told_before.add(Identity(each.identity_key, each.identity_value))
    pairs = "select identity_key, identity_value, incarnation from identities"
    assert sorted((each.identity_key, each.identity_value, each.incarnation) for each in answer.identities) == rows(
        warehouse, f"{pairs} where person_id = '{person_id}' order by all"
    )
