"""Sensors clients at the collector: where they may live, what they are answered, and how they debug."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.protocols.answers import PIXEL
from tests.collectors import Running
from tests.stories import decoded, post, sensors, tracked


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.writer.close()


# Sensors: 200 whatever came


@pytest.mark.parametrize("content", [sensors(tracked("reach")).body, b"data=rubbish", b""])
def test_sensors_clients_are_always_told_200(collector: Running, content: bytes) -> None:
    answer = collector.ask("POST", "/sa?project=default", content)
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(collector.records()) == 1


@pytest.mark.parametrize("path", ["/sa.gif", "/sensors/sa.gif"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_image_requests_are_answered_with_a_pixel(collector: Running, method: str, path: str) -> None:
    packed = base64.b64encode(json.dumps(tracked("reach")).encode()).decode()
    answer = collector.ask(method, f"{path}?data={packed}")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/gif", PIXEL)
    (record,) = collector.records()
    assert record.request is not None
    assert [each.event_name for each in decoded(record.request).messages] == ["reach"]


PREFIXES = ["", "/sensors", "/any", "/a/b"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", ["sa", "sa.gif"])
def test_sensors_clients_may_live_below_any_prefix(collector: Running, prefix: str, name: str) -> None:
    """They cut the address they were given at its last slash and go on from there."""
    assert collector.send(post(f"{prefix}/{name}", sensors(tracked("reach")).body)).status_code == 200
    (record,) = collector.records()
    assert record.request is not None
    assert [each.event_name for each in decoded(record.request).messages] == ["reach"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("GET", "config/Android.conf?project=default&app_id=cn.school&v=1"),
        ("GET", "config/iOS.conf"),
        ("GET", "config/HarmonyOS.conf"),
        ("GET", "config/visualized/Web.conf"),
        ("GET", "mp_login?code=c&appid=a"),
        ("GET", "sdk/deeplink/param"),
        ("POST", "slink/ddeeplink"),
        ("POST", "api/sdk/channel_tool/url"),
    ],
)
def test_configurations_are_not_found_and_the_client_carries_on(
    collector: Running, prefix: str, method: str, name: str
) -> None:
    answer = collector.ask(method, f"{prefix}/{name}")
    assert (answer.status_code, answer.json(), answer.headers["access-control-allow-origin"]) == (404, {}, "*")
    assert collector.records() == []
    assert collector.app.turned_away == {("sensors", 404): 1}


# Sensors in debug mode: judged at once


@pytest.mark.parametrize("prefix", PREFIXES)
def test_debug_mode_keeps_what_is_no_dry_run(collector: Running, prefix: str) -> None:
    good, bad = sensors(tracked("reach")).body, sensors(tracked("reach"), {**tracked("pay"), "event": None}).body
    answers = [
        collector.ask("POST", f"{prefix}/debug", body, headers)
        for headers in ({}, {"Dry-Run": "true"}, {"Dry-Run": "false"})
        for body in (good, bad)
    ]
    assert [(each.status_code, each.text) for each in answers] == [
        (200, "{}"),
        (422, "message 1: missing_event_name: an event needs a name"),
    ] * 3
    kept = [record.request for record in collector.records()]
    assert [each.headers.get("dry-run") for each in kept if each is not None] == [None, None, "false", "false"]


def test_debugging_browser_is_silent_when_all_is_well_and_else_shows_why(collector: Running) -> None:
    """It asks by GET, reads the JSON of a 200 alone, and alerts whatever is not empty."""
    packed = [
        base64.b64encode(json.dumps(event).encode()).decode()
        for event in (tracked("reach"), tracked("reach", distinct_id=None))
    ]
    answers = [collector.ask("GET", f"/debug?data={text}&ext=crc%3D1", headers={"dry-run": "true"}) for text in packed]
    assert [(each.status_code, each.json()) for each in answers] == [
        (200, {}),
        (
            200,
            {"rejected": ["message 0: missing_identity: no id of a person: send a distinct_id, userId or identities"]},
        ),
    ]
    assert collector.records() == []


@pytest.mark.parametrize("path", ["/segment/sa", "/rudder/x/sa.gif", "/native/debug", "/webhook/a/config/iOS.conf"])
def test_paths_of_sensors_clients_do_not_reach_below_another_family(collector: Running, path: str) -> None:
    assert collector.ask("POST", path).status_code == 418
