"""Write keys: whose messages a project takes, and where each family's clients put their key."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from api.errors import SettingsError
from api.settings import read_settings
from ingest.record import Request
from ingest.settings import DecodeSettings
from tests.collectors import Running
from tests.stories import Json, decoded, device, event, get, native, post, segment, sensors, tracked

OURS = DecodeSettings(write_keys=frozenset({"school", "crm"}))
CALL: Json = {"type": "track", "event": "reach", "anonymousId": "d1"}


def under(request: Request, **headers: str) -> Request:
    request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return request


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def form(message: Json, **fields: str) -> bytes:
    fields["data"] = base64.b64encode(json.dumps(message).encode()).decode()
    return "&".join(f"{name}={quote(value)}" for name, value in fields.items()).encode()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(post("/sa", sensors(tracked("reach")).body, "token=school"), id="sensors, query"),
        pytest.param(get("/sa.gif", "token=school&" + form(tracked("reach")).decode()), id="sensors, image"),
        pytest.param(post("/sa", form(tracked("reach"), token="school")), id="sensors, form"),
        pytest.param(sensors(tracked("reach", token="school")), id="sensors, event"),
        pytest.param(sensors(tracked("reach", properties={"$token": "school"})), id="sensors, property"),
        pytest.param(under(segment(CALL), authorization=basic("school:")), id="segment, basic"),
        pytest.param(segment(CALL, writeKey="school"), id="segment, batch"),
        pytest.param(segment({**CALL, "writeKey": "school"}), id="segment, call"),
        pytest.param(post("/v1/t", json.dumps({**CALL, "writeKey": "crm"}).encode()), id="segment, single call"),
        pytest.param(
            post("/beacon/v1/batch", segment(CALL).body, "writeKey=school"), id="rudder, beacon when a page closes"
        ),
        pytest.param(under(native(event("reach", device("d1"))), authorization="Bearer school"), id="native, bearer"),
        pytest.param(
            post("/events", native(event("reach", device("d1"))).body, "write_key=school"), id="native, query"
        ),
    ],
)
def test_key_is_found_where_the_clients_put_it(request_: Request) -> None:
    assert [each.event_name for each in decoded(request_, OURS).messages] == ["reach"]
    others = decoded(request_, DecodeSettings(write_keys=frozenset({"another"})))
    assert [(each.reason, each.detail) for each in others.rejects] == [
        ("unknown_write_key", "the write key is not among write_keys in onepath.toml")
    ]
    assert not others.messages
    assert [each.event_name for each in decoded(request_).messages] == ["reach"]  # without keys, anybody's


@pytest.mark.parametrize(
    "request_",
    [sensors(tracked("reach")), segment(CALL), native(event("reach", device("d1")))],
    ids=lambda each: each.path,
)
def test_without_a_key_a_message_is_kept_as_a_reject(request_: Request) -> None:
    (reject,) = decoded(request_, OURS).rejects
    assert reject.detail == "no write key was sent, and the project has write_keys in onepath.toml"
    assert reject.event_name == "reach"


def test_key_of_a_message_stands_above_that_of_its_request() -> None:
    body = sensors(tracked("reach", token="school"), tracked("pay", token="stranger"), tracked("teach")).body
    found = decoded(post("/sa", body, "token=crm"), OURS)
    assert [each.event_name for each in found.messages] == ["reach", "teach"]
    assert [(each.index, each.event_name) for each in found.rejects] == [(1, "pay")]


def test_clients_are_answered_as_ever_and_everything_is_kept(tmp_path: Path) -> None:
    """A client under a wrong key goes on sending; its messages can be replayed once the key was added."""
    running = Running(tmp_path, OURS)
    assert running.send(sensors(tracked("reach"))).status_code == 200
    assert running.send(segment(CALL)).status_code == 200
    told = running.send(native(event("reach", device("d1"))))
    assert (told.status_code, told.json()["results"][0]["reason"]) == (400, "unknown_write_key")
    assert running.send(post("/debug", sensors(tracked("reach")).body)).status_code == 422
    assert len(running.records()) == 4
    running.writer.close()


def test_keys_are_read_from_the_project_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "onepath.toml").write_text(
        '[project]\nsalt = "0123456789abcdef"\nwrite_keys = ["hush-1", "hush-2"]\n'
        '[[stages]]\nname = "a"\nany_of = [{ event = "A" }]\n[[stages]]\nname = "b"\nany_of = [{ event = "B" }]\n'
    )
    settings = read_settings(tmp_path, environment={})
    assert settings.decode.write_keys == {"hush-1", "hush-2"}
    assert "hush" not in repr(settings)
    lines = {line.name: line.value for line in settings.lines()}
    assert lines["onepath.toml: project.write_keys"] == "2 keys"


@pytest.mark.parametrize("value", ['"hush"', "[1]", '[""]', "{}"])
def test_keys_are_a_list_of_texts(tmp_path: Path, value: str) -> None:
    (tmp_path / "onepath.toml").write_text(f'[project]\nsalt = "0123456789abcdef"\nwrite_keys = {value}\n')
    with pytest.raises(
        SettingsError, match=r'project\.write_keys is no list of keys; write it as \["KEY", "ANOTHER"\]'
    ):
        read_settings(tmp_path, environment={})
