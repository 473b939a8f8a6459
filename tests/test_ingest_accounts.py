"""Accounts that messages name, family by family, and by the properties that a project's rules give to a type."""

from pathlib import Path
from typing import Any

import pytest

from ingest.identity.rules import AccountType
from ingest.message import Account, Message, PropertyChange
from ingest.protocols.accounts import accounts_of, with_accounts
from ingest.record import Request
from ingest.settings import DecodeSettings
from tests.account_stories import group
from tests.stories import NOON, Json, decoded, device, event, login, native, segment, sensors, tracked
from tests.test_ingest_webhook import hooks, sent

SCHOOL_CLASS_FAMILY = (
    AccountType("school", ("account_id", "school_no")),
    AccountType("class", ("class_id",)),
    AccountType("family", ("family_id", "household")),
)
LI = login("li")


def named(message: Message) -> tuple[str | None, dict[str, list[str]]]:
    """The accounts of a message: the one of the default type, and the others by type."""
    others: dict[str, list[str]] = {}
    for account in message.accounts:
        others.setdefault(account.account_type, []).append(account.account_id)
    return message.account_id, others


def only(request: Request, settings: DecodeSettings | None = None) -> Message:
    found = decoded(request, settings)
    assert found.rejects == []
    [message] = found.messages
    return message


def call(**fields: Any) -> Json:
    return {"type": "group", "userId": "li", "groupId": "F1", **fields}


@pytest.mark.parametrize(
    ("request_", "account_id", "others"),
    [
        (native(event("a", LI, account_id="S1")), "S1", {}),
        (
            native({**event("a", LI), "accounts": {"family": "F1", "class": [1, "C2", 1]}}),
            None,
            {"family": ["F1"], "class": ["1", "C2"]},
        ),
        (native({**event("a", LI), "accounts": {"account": "S1"}}), "S1", {}),
        (native({**event("a", LI, account_id="S1"), "accounts": {"account": ["S2", "S1"]}}), "S1", {"account": ["S2"]}),
        (
            native({**event("a", LI), "properties": {"$accounts": {"family": "F1", "class": None}}}),
            None,
            {"family": ["F1"]},
        ),
        (sensors(tracked("a", properties={"$accounts": {"family": "F1"}, "account_id": 7})), "7", {"family": ["F1"]}),
        (
            sensors({**tracked("a"), "type": "profile_set", "properties": {"$accounts": {"class": 3}}}),
            None,
            {"class": ["3"]},
        ),
        (
            segment({**call(), "type": "track", "event": "a", "properties": {"$accounts": {"class": "C1"}}}),
            None,
            {"class": ["C1"]},
        ),
        (segment({**call(), "type": "identify", "traits": {"$accounts": {"class": "C1"}}}), None, {"class": ["C1"]}),
        (segment(call()), "F1", {}),
        (segment(call(traits={"$account_type": "family"})), None, {"family": ["F1"]}),
        (segment(call(traits={"$accounts": {"class": "C1"}})), "F1", {"class": ["C1"]}),
    ],
)
def test_every_family_names_accounts(request_: Request, account_id: str | None, others: dict[str, list[str]]) -> None:
    message = only(request_)
    assert named(message) == (account_id, others)
    left = message.properties if message.change is None else message.change.properties
    assert not [name for name in left if name.startswith("$acc")]
    assert not message.is_leave


def test_a_group_message_may_say_that_its_person_leaves() -> None:
    for request in (
        segment(call(traits={"$leave": True, "city": "Wuhan"})),
        native(group(LI, "F1", NOON, **{"$leave": True, "city": "Wuhan"})),
    ):
        message = only(request)
        assert (message.is_leave, message.account_id) == (True, "F1")
        assert message.change == PropertyChange("account", "set", {"city": "Wuhan"})


def test_a_mapping_names_accounts_of_types(tmp_path: Path) -> None:
    text = """
    messages:
      - event_name: Enrolled
        identities: {$identity_mobile: $.phone}
        accounts: {class: $.class.id, family: $.family}
    """
    settings = DecodeSettings(webhooks=hooks(tmp_path, form=text))
    assert named(only(sent("form", {"phone": "138", "class": {"id": 5}}), settings)) == (None, {"class": ["5"]})


def test_rules_say_which_properties_name_accounts() -> None:
    plain: Json = {"class_id": ["C1", "C2"], "household": 12, "family_id": "", "school_no": "S9", "amount": 5}
    message = only(native({**event("a", device("d1")), "properties": plain}))
    assert named(accounts_of(message, SCHOOL_CLASS_FAMILY)) == ("S9", {"class": ["C1", "C2"], "family": ["12"]})
    assert with_accounts([message], (AccountType("account", ("account_id",)),)) == [message]
    both = only(native({**event("a", LI, class_id="C1", account_id="S1"), "accounts": {"class": "C0", "school": "S2"}}))
    assert named(accounts_of(both, SCHOOL_CLASS_FAMILY)) == ("S1", {"class": ["C0", "C1"], "account": ["S2"]})
    profile = only(sensors({**tracked("a"), "type": "profile_set", "properties": {"class_id": "C1"}}))
    assert accounts_of(profile, SCHOOL_CLASS_FAMILY).accounts == (Account("class", "C1"),)
    nothing = only(native(event("a", LI)))
    assert accounts_of(nothing, SCHOOL_CLASS_FAMILY) is nothing
