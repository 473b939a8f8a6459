"""Webhooks: the JSON of other systems, read by mappings; who may send it, and what becomes of what cannot be read."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from api.errors import SettingsError
from api.webhook_files import read_webhooks, require_secrets
from ingest.message import Decoded, Identity, PropertyChange, message_id
from ingest.protocols.mapping import Webhook
from ingest.record import CutBody, Position, Request
from ingest.settings import DecodeSettings
from tests.collectors import Running
from tests.stories import NOON_US, SECOND_US, Json, decoded, post

SECRET = "between the CRM and us"
CRM = """
signature: {header: X-Crm-Signature, secret: between the CRM and us, prefix: "sha256="}
messages:
  - event_name: OrderPaid
    when: {$.type: [order.paid, order.settled]}
    event_at: $.data.paid_at
    timezone: Asia/Shanghai
    identities: {$identity_mobile: $.data.buyer.phone, $identity_login_id: $.data.buyer.user_id}
    account_id: $.data.school.id
    dedupe_key: $.data.order_no
    properties_from: $.data.extra
    properties: {amount: $.data.amount, channel: crm, missing: $.data.nowhere}
  - record_type: identify
    when: {$.type: contact.updated}
    identities: {$identity_mobile: $.data.phone}
    properties_from: $.data
  - record_type: group
    when: {$.type: school.updated}
    account_id: $.data.id
    properties: {city: $.data.city}
"""
FORM = """
messages:
  - items: $.entries[*]
    when: {"@.phone": is_set, "@.test": is_not_set}
    event_name: "@.kind"
    identities: {$identity_mobile: "@.phone"}
    properties: {form: $.form, answer: "@.answers[?@.q == 'grade'].a"}
"""
PAID: Json = {
    "type": "order.paid",
    "data": {
        "order_no": 17,
        "paid_at": "2026-11-02 11:59:30",
        "amount": 98.5,
        "buyer": {"phone": "138", "user_id": None},
        "school": {"id": 7},
        "extra": {"plan": "year", "coupon": None, "channel": "shop"},
    },
}


def hooks(folder: Path, **mappings: str) -> tuple[Webhook, ...]:
    """The mappings of these files."""
    (folder / "webhooks").mkdir(exist_ok=True)
    for name, text in mappings.items():
        (folder / "webhooks" / f"{name}.yaml").write_text(dedent(text), encoding="utf-8")
    return read_webhooks(folder, {})


@pytest.fixture
def mapped(tmp_path: Path) -> DecodeSettings:
    return DecodeSettings(webhooks=hooks(tmp_path, crm=CRM, form=FORM))


def sent(name: str, body: Any) -> Request:
    return post(f"/webhook/{name}", json.dumps(body, ensure_ascii=False).encode())


def reasons(found: Decoded) -> list[tuple[str, str]]:
    return [(each.reason, each.detail) for each in found.rejects]


# What the mapping makes of a body


def test_event_is_found_where_the_mapping_says(mapped: DecodeSettings) -> None:
    (message,) = decoded(sent("crm", PAID), mapped).messages
    assert (message.protocol, message.record_type, message.event_name) == ("webhook", "track", "OrderPaid")
    assert message.event_at_us == NOON_US - 30 * SECOND_US  # 11:59:30 in Shanghai
    assert message.identities == (Identity("$identity_mobile", "138"),)
    assert (message.account_id, message.distinct_id) == ("7", "138")
    assert message.properties == {"plan": "year", "channel": "crm", "amount": 98.5}
    assert (message.source, message.sdk, message.dedupe_key) == ("server", "webhook/crm", "crm\0OrderPaid\x0017")


def test_body_sent_again_has_the_id_of_the_first(mapped: DecodeSettings) -> None:
    ids = {
        message_id(message, Position("collector", file, 0))
        for file in (1, 2)
        for message in decoded(sent("crm", PAID), mapped).messages
    }
    assert len(ids) == 1
    other = decoded(sent("crm", {**PAID, "type": "order.settled", "data": {**PAID["data"], "order_no": 18}}), mapped)
    assert other.messages[0].dedupe_key == "crm\0OrderPaid\x0018"


def test_contacts_and_companies_are_calls(mapped: DecodeSettings) -> None:
    (contact,) = decoded(
        sent("crm", {"type": "contact.updated", "data": {"phone": "138", "name": "李"}}), mapped
    ).messages
    (school,) = decoded(sent("crm", {"type": "school.updated", "data": {"id": "s7", "city": "Hefei"}}), mapped).messages
    assert contact.change == PropertyChange("person", "set", {"phone": "138", "name": "李"})
    assert (school.change, school.account_id) == (PropertyChange("account", "set", {"city": "Hefei"}), "s7")
    assert (contact.event_name, school.event_name, contact.properties) == (None, None, {})


def test_one_body_may_hold_many_events(mapped: DecodeSettings) -> None:
    """A form tool sends a page of entries; one is a test, one has no phone."""
    entries = [
        {"kind": "TrialRequested", "phone": "138", "answers": [{"q": "city", "a": "Hefei"}, {"q": "grade", "a": 3}]},
        {"kind": "TrialRequested", "phone": "139", "test": True},
        {"kind": "TrialRequested", "phone": None},
        {"kind": "Asked", "phone": 137},
    ]
    found = decoded(sent("form", {"form": "spring", "entries": entries}), mapped)
    assert not found.rejects
    assert [(each.index, each.event_name, each.identities[0].value, each.properties) for each in found.messages] == [
        (0, "TrialRequested", "138", {"form": "spring", "answer": 3}),
        (1, "Asked", "137", {"form": "spring"}),
    ]


@pytest.mark.parametrize("at", [1762056000, "1762056000", "1762056000000", "2025-11-02T04:00:00Z"])
def test_times_may_be_numbers_as_text(tmp_path: Path, at: Any) -> None:
    (hook,) = hooks(
        tmp_path, shop="messages: [{event_name: Paid, event_at: $.at, timezone: Asia/Shanghai, identities: {k: $.id}}]"
    )
    (message,) = decoded(sent("shop", {"at": at, "id": 1}), DecodeSettings(webhooks=(hook,))).messages
    assert message.event_at_us == 1762056000 * SECOND_US


# What it cannot read is kept


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"paid_at": None}, "event_at: $.data.paid_at found nothing"),
        ({"order_no": None}, "dedupe_key: $.data.order_no found nothing"),
        ({"extra": "none"}, "properties_from: $.data.extra found no object"),
        (
            {"buyer": {}},
            "identities: no id at $identity_mobile: $.data.buyer.phone, $identity_login_id: $.data.buyer.user_id",
        ),
    ],
)
def test_what_the_mapping_does_not_find_is_a_reject_that_says_where(
    mapped: DecodeSettings, change: Json, detail: str
) -> None:
    request = sent("crm", {**PAID, "data": {**PAID["data"], **change}})
    found = decoded(request, mapped)
    assert (found.messages, reasons(found)) == ([], [("webhook_mapping", detail)])
    assert found.rejects[0].original == request.body


def test_bad_item_does_not_cost_its_neighbours(mapped: DecodeSettings) -> None:
    entries = [{"kind": "A", "phone": "1"}, {"phone": "2"}, {"kind": "C", "phone": "3"}]
    found = decoded(sent("form", {"entries": entries}), mapped)
    assert [(each.index, each.event_name) for each in found.messages] == [(0, "A"), (2, "C")]
    assert reasons(found) == [("webhook_mapping", "event_name: @.kind found nothing")]
    assert json.loads(found.rejects[0].original) == {"phone": "2"}


@pytest.mark.parametrize("phone", ["138", None])
def test_no_more_items_are_looked_at_than_there_may_be_messages(tmp_path: Path, phone: str | None) -> None:
    """Nor a million that `when` would pass over."""
    limits = DecodeSettings(webhooks=hooks(tmp_path, form=FORM), max_messages=3)
    entries = [{"kind": "A", "phone": phone}] * 3
    whole = decoded(sent("form", {"entries": entries}), limits)
    assert [each.reason for each in whole.rejects] == ([] if phone else ["webhook_unmatched"])
    found = decoded(sent("form", {"entries": [*entries, {"kind": "B", "phone": "139"}]}), limits)
    assert [each.event_name for each in found.messages] == (["A"] * 3 if phone else [])
    assert [each.reason for each in found.rejects] == ["too_many_messages"]
    crowded = decoded(post("/webhook/form", b'{"entries":[' + b"[]," * 1_000_000 + b"[]]}"), limits)
    assert [each.reason for each in crowded.rejects] == ["unreadable_body"]


def test_keys_are_told_apart_wherever_their_colons_stand(tmp_path: Path) -> None:
    text = "messages: [{event_name: $.e, dedupe_key: $.k, identities: {id: $.id}}]"
    settings = DecodeSettings(webhooks=hooks(tmp_path, shop=text))
    one, other = (decoded(sent("shop", {"e": e, "k": k, "id": 1}), settings) for e, k in (("a:b", "c"), ("a", "b:c")))
    assert one.messages[0].dedupe_key != other.messages[0].dedupe_key


def test_a_mended_mapping_takes_in_what_was_refused(tmp_path: Path, mapped: DecodeSettings) -> None:
    request = sent("crm", {**PAID, "data": {**PAID["data"], "order_no": None, "number": 9}})
    assert reasons(decoded(request, mapped))
    mended = DecodeSettings(webhooks=hooks(tmp_path, crm=CRM.replace("order_no", "number")))
    assert [each.dedupe_key for each in decoded(request, mended).messages] == ["crm\0OrderPaid\x009"]


def test_bodies_nobody_asked_for_and_no_json_are_rejects(mapped: DecodeSettings) -> None:
    assert reasons(decoded(sent("crm", {"type": "ping"}), mapped)) == [
        ("webhook_unmatched", "no `when` of the mapping asks for this body")
    ]
    assert reasons(decoded(post("/webhook/crm", b"phone=138"), mapped))[0][0] == "unreadable_body"
    assert reasons(decoded(sent("gone", PAID), mapped)) == [("webhook_mapping", "no mapping webhooks/gone.yaml")]
    few = DecodeSettings(webhooks=mapped.webhooks, max_messages=2)
    many = decoded(sent("form", {"entries": [{"kind": "A", "phone": "1"}] * 3}), few)
    assert (len(many.messages), [reason for reason, _ in reasons(many)]) == (2, ["too_many_messages"])


# At the collector


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Crm-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def test_collector_takes_what_is_signed_and_nothing_else(tmp_path: Path, mapped: DecodeSettings) -> None:
    running = Running(tmp_path / "log", mapped)
    body = sent("crm", PAID).body
    wrong = [
        {},
        {"X-Crm-Signature": "sha256="},
        {"X-Crm-Signature": SECRET},
        signed(body + b" "),
        signed(body, "guess"),
        {"X-Crm-Signature": "sha256=0g"},
    ]
    assert [running.ask("POST", "/webhook/crm", body, each).status_code for each in wrong] == [401] * 6
    assert (running.records(), running.app.turned_away) == ([], {("webhook", 401): 6})
    answer = running.ask("POST", "/webhook/crm", body, signed(body))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": 0, "reasons": []})
    assert len(running.records()) == 1
    assert "x-crm-signature" not in str(running.records())
    running.writer.close()


def test_collector_answers_200_with_what_it_refused_and_404_without_a_mapping(
    tmp_path: Path, mapped: DecodeSettings
) -> None:
    running = Running(tmp_path / "log", mapped)
    entries = [{"kind": "A", "phone": "1"}, {"phone": "2"}]
    answer = running.ask("POST", "/webhook/form", json.dumps({"entries": entries}).encode())
    assert (answer.status_code, answer.json()) == (
        200,
        {"accepted": 1, "rejected": 1, "reasons": ["webhook_mapping: event_name: @.kind found nothing"]},
    )
    missing = running.ask("POST", "/webhook/other", b"{}")
    assert (missing.status_code, missing.json()["error"].partition(":")[0]) == (404, "no webhook other")
    assert (running.ask("GET", "/webhook/form").status_code, len(running.records())) == (405, 1)
    running.writer.close()


def test_signed_body_that_is_too_large_cannot_be_checked_and_is_not_kept(
    tmp_path: Path, mapped: DecodeSettings
) -> None:
    running = Running(tmp_path / "log", mapped, max_body_bytes=100)
    body = sent("crm", PAID).body
    assert running.ask("POST", "/webhook/crm", body, signed(body)).status_code == 413
    assert running.records() == []
    running.writer.close()
    cut = Request("POST", "/webhook/form", "", {}, "", b"{", CutBody(200, "ab" * 32))
    assert decoded(cut, mapped).rejects[0].reason == "body_too_large"


@pytest.mark.parametrize(
    ("signature", "header"),
    [
        ("{header: X-S, secret: s, encoding: base64}", base64.b64encode(hmac.digest(b"s", b"{}", "sha256")).decode()),
        ("{header: X-S, secret: s, algorithm: hmac-sha1}", hmac.digest(b"s", b"{}", "sha1").hex()),
        ("{header: X-S, secret: s, algorithm: plain, prefix: 'Bearer '}", "Bearer s"),
    ],
)
def test_other_ways_to_sign(tmp_path: Path, signature: str, header: str) -> None:
    text = f"signature: {signature}\nmessages: [{{event_name: A, identities: {{k: $.k}}}}]"
    running = Running(tmp_path / "log", DecodeSettings(webhooks=hooks(tmp_path, a=text)))
    assert running.ask("POST", "/webhook/a", b"{}", {"X-S": header}).status_code == 200
    assert running.ask("POST", "/webhook/a", b"{}", {"X-S": header[:-1]}).status_code == 401
    running.writer.close()


def test_hex_may_be_capitals_and_the_prefix_must_be_there(tmp_path: Path, mapped: DecodeSettings) -> None:
    running = Running(tmp_path / "log", mapped)
    body = sent("crm", PAID).body
    digest = signed(body)["X-Crm-Signature"].removeprefix("sha256=")
    answers = [
        running.ask("POST", "/webhook/crm", body, {"X-Crm-Signature": text}).status_code
        for text in (f"sha256={digest.upper()}", digest, f"SHA256={digest}")
    ]
    assert answers == [200, 401, 401]
    running.writer.close()


# Mapping files


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1,\nb: }", "line 2: not YAML: "),
        ("- 1", "the file: write fields, of signature, messages"),
        ("messages: []", "messages: write a list with an entry for each kind of message"),
        ("message: []", "the file: 'message' is no field; there are signature, messages"),
        ("messages: [{evnt: A}]", "messages[0]: 'evnt' is no field; there are record_type, event_name, items"),
        ("messages: [{identities: {k: $.k}}]", "messages[0].event_name: write a name, or the path where it stands"),
        ("messages: [{event_name: A}]", "messages[0].identities: write at least one"),
        ("messages: [{record_type: group}]", "messages[0].account_id: a group message needs"),
        ("messages: [{record_type: sale}]", "messages[0].record_type: 'sale' is none of track, identify, group"),
        ("messages: [{event_name: A, identities: {k: '$.a['}}]", "messages[0].identities.k: '$.a[' is no JSON path: "),
        ("messages: [{event_name: [A], identities: {k: $.k}}]", "messages[0].event_name: ['A'] is neither a constant"),
        ("messages: [{event_name: A, event_at: now, identities: {k: $.k}}]", "messages[0].event_at: 'now' is no path"),
        (
            "messages: [{event_name: A, timezone: Mars, identities: {k: $.k}}]",
            "messages[0].timezone: 'Mars' is no time",
        ),
        ("messages: [{event_name: A, when: $.x, identities: {k: $.k}}]", "messages[0].when: write paths and, for each"),
        ("signature: {header: X}\nmessages: [1]", "messages[0]: write fields"),
        ("signature: {header: X}\nmessages: [{event_name: A, identities: {k: $.k}}]", "signature: write either secret"),
        (
            "signature: {secret: x}\nmessages: [{event_name: A, identities: {k: $.k}}]",
            "signature.header: write the name of the header",
        ),
        (
            "signature: {header: X, secret_env: ONEPATH_X}\nmessages: [{event_name: A, identities: {k: $.k}}]",
            "signature.secret_env: take a name without ONEPATH_",
        ),
    ],
)
def test_bad_mapping_file_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        hooks(tmp_path, crm=text)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'webhooks' / 'crm.yaml'}: {sentence}")
    assert "\n" not in message


def test_every_wrong_path_of_a_mapping_file_is_named_at_once(tmp_path: Path) -> None:
    text = """
        messages:
          - {event_name: Paid, event_at: now, when: {1: is_set}, identities: {k: '$.a['}}
          - {event_name: Left, items: '$.children[', identities: {k: $.k}}
    """
    with pytest.raises(SettingsError) as refused:
        hooks(tmp_path, crm=text)
    message = str(refused.value)
    assert [
        part.split(" is no ")[0] for part in message.removeprefix(f"{tmp_path}/webhooks/crm.yaml: ").split("; ")
    ] == [
        "messages[0].identities.k: '$.a['",
        "messages[0].when: '1'",
        "write one such as $.id (of the body) or @.id (of the item)",
        "messages[0].event_at: 'now'",
        "write one such as $.id (of the body) or @.id (of the item)",
        "messages[1].items: '$.children['",
    ]
    assert "\n" not in message


def test_secret_may_come_from_the_environment_and_only_the_collector_needs_it(tmp_path: Path) -> None:
    text = "signature: {header: X-S, secret_env: CRM_SECRET}\nmessages: [{event_name: A, identities: {k: $.k}}]"
    without = hooks(tmp_path, crm=text)
    with pytest.raises(SettingsError, match=r"webhooks/crm\.yaml: signature\.secret_env: .* CRM_SECRET is not set"):
        require_secrets(without)
    found = read_webhooks(tmp_path, {"CRM_SECRET": "hush"})
    require_secrets(found)
    assert found[0].signature is not None
    assert found[0].signature.secret == b"hush"
    assert "hush" not in repr(found)


def test_examples_of_the_documentation_are_true(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "sdk" / "webhook.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"```yaml\n# onepath-data/webhooks/(\w+)\.yaml\n(.*?)```", page, re.DOTALL))
    settings = DecodeSettings(webhooks=hooks(tmp_path, **files))
    (body,) = re.findall(r"^body='(.*?)'$", page, re.DOTALL | re.MULTILINE)
    (message,) = decoded(post("/webhook/crm", body.encode()), settings).messages
    assert (message.event_name, message.account_id, message.properties) == (
        "OrderPaid",
        "school-7",
        {"amount": 98, "channel": "crm"},
    )
    entry = {"phone": "138", "answers": [{"q": "grade", "a": 3}]}
    (trial,) = decoded(sent("form", {"form": "spring", "entries": [entry]}), settings).messages
    assert (trial.event_name, trial.properties) == ("TrialRequested", {"form": "spring", "grade": 3})


def test_a_path_that_leads_down_for_ever_refuses_the_message(tmp_path: Path) -> None:
    deep = "messages: [{event_name: Note, identities: {$identity_mobile: $..phone}}]"
    settings = DecodeSettings(webhooks=hooks(tmp_path, deep=deep))
    body: Any = {"phone": "13800000000"}
    for _ in range(150):
        body = {"within": body}
    assert reasons(decoded(sent("deep", body), settings)) == [
        ("nested_too_deep", "'$..phone' leads deeper than a hundred levels")
    ]
