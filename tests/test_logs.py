"""The services' logs: lines for machines, and never a word of what somebody sent."""

import base64
import io
import json
import logging
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import structlog

from api.doctor import examine, read_bearably
from api.services.logs import set_up_logs
from api.settings import read_settings
from tests.houses import House
from tests.waiting import DEADLINE_S, until

SECRET = "5ecret"
logger = logging.getLogger("onepath.test")


def logged(form: str, *acts: object) -> str:
    """What these acts log, in this form; the logging of the other tests is as it was afterwards."""
    root, text = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    try:
        set_up_logs(form, text)
        for act in acts:
            assert callable(act)
            act()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    return text.getvalue()


def fail() -> None:
    try:
        try:
            int(SECRET)
        except ValueError as error:
            raise KeyError(SECRET) from error
    except KeyError:
        logger.exception("it failed", extra={"stream": "collector"})


def test_an_exception_is_told_by_its_types_and_places_alone() -> None:
    line = json.loads(logged("json", fail))
    assert (line["event"], line["level"], line["logger"]) == ("it failed", "error", "onepath.test")
    assert (line["error"], line["stream"]) == ("KeyError < ValueError", "collector")
    assert "test_logs.py:" in line["where"]
    assert SECRET not in logged("text", fail)


def test_what_the_disk_said_is_kept() -> None:
    error = OSError(28, "No space left on device", SECRET)
    text = logged("json", lambda: logger.error("no", exc_info=error))
    assert json.loads(text)["error"] == "OSError: No space left on device"


def test_libraries_and_structlog_write_the_same_lines() -> None:
    text = logged(
        "json",
        lambda: structlog.get_logger("onepath.own").info("ours", number=1),
        lambda: logging.getLogger("asyncio").error(f"Task failed\nfuture: <Task exception={SECRET}>"),
        lambda: logging.getLogger("httpx").info(f"GET http://{SECRET}"),
    )
    ours, theirs = map(json.loads, text.splitlines())
    assert (ours["event"], ours["number"]) == ("ours", 1)
    assert (theirs["event"], theirs["logger"]) == ("Task failed", "asyncio")


def test_text_is_for_people() -> None:
    text = logged("text", lambda: logger.warning("requests were refused", extra={"requests": 3}))
    assert "requests were refused" in text
    assert "requests=3" in text


def requests_with_secrets(url: str) -> "list[httpx.Request]":
    """The secret in every place of good, bad and damaged requests of all families."""
    message = {
        "event_name": f"Event{SECRET}",
        "event": f"Event{SECRET}",
        "type": "track",
        "userId": SECRET,
        "distinct_id": SECRET,
        "identities": {f"$identity_{SECRET}": SECRET},
        "properties": {SECRET: SECRET},
        "time": SECRET,
        "event_at": SECRET,
        "timestamp": SECRET,
    }
    whole = json.dumps(message).encode()
    packed = base64.b64encode(whole)
    bodies = [whole, whole[:-9], b"\x1f\x8b" + whole, b"data=" + packed, b"data_list=" + packed[:-3], b"[" * 90 + whole]
    headers = {"authorization": f"Basic {SECRET}", "user-agent": SECRET, "x-forwarded-for": SECRET, "cookie": SECRET}
    paths = ["/events", "/sa", "/sa.gif", "/v1/batch", "/v1/track", "/v1/identify", f"/{SECRET}"]
    built = [
        httpx.Request("POST", f"{url}{path}?token={SECRET}", content=body, headers=headers)
        for path in paths
        for body in bodies
    ]
    built.append(httpx.Request("GET", f"{url}/sa.gif?data={SECRET}", headers=headers))
    built.append(httpx.Request("PUT", f"{url}/events?{SECRET}", content=whole))
    return built


def test_no_service_writes_what_it_was_sent(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    ports = ["--collector-port", str(house.ports[0]), "--server-port", str(house.ports[1])]
    command = [sys.executable, "-m", "api.cli", "up", "--data", str(house.data), *ports]
    errors = tmp_path / "stderr.txt"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            house._wait(process)
            with httpx.Client() as client:
                answers = [client.send(request) for request in requests_with_secrets(house.collector)]
                assert {answer.status_code for answer in answers} >= {200, 400, 405}
                client.post(f"{house.project}/sql", json={"sql": f"select {SECRET} from {SECRET}"})
                client.post(f"{house.project}/funnel", json={"steps": SECRET})
                client.get(f"{house.project}/tail{SECRET}?event={SECRET}")
                until(lambda: client.get(f"{house.server}/ready").is_success, "the server is ready")
                until(lambda: b"refused" in errors.read_bytes(), "a refusal is logged")
            with_raw_bytes(house.ports[0])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(DEADLINE_S)
    written = errors.read_text(encoding="utf-8")
    assert SECRET not in written
    assert all(json.loads(line)["event"] for line in written.splitlines()), "JSON lines, not in a terminal"


def with_raw_bytes(port: int) -> None:
    """A request that is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
        connection.sendall(f"{SECRET} nonsense\r\n{SECRET}\r\n\r\n".encode())
        connection.recv(1000)


# The doctor


def test_the_doctor_survives_what_he_is_called_for(tmp_path: Path) -> None:
    wrong = {"ONEPATH_SERVER__PRT": "1", "ONEPATH_SERVER__PORT": "many", "ONEPATH_DECODE__MAX_MESSAGES": "7"}
    reading = read_bearably(tmp_path, {}, wrong)
    assert [sentence.split()[0] for sentence in reading.wrong] == ["ONEPATH_SERVER__PRT", "ONEPATH_SERVER__PORT"]
    assert (reading.settings.decode.max_messages, reading.settings.server.port) == (7, 8107)
    assert reading.knows_project
    (tmp_path / "onepath.toml").write_text("[project", encoding="utf-8")
    broken = read_bearably(tmp_path, {}, {})
    assert "onepath.toml: Expected" in broken.wrong[0]
    assert (broken.settings.data, broken.knows_project) == (tmp_path, False)
    told = dict(examine(broken))
    assert "onepath.toml" in told["Wrong setting"]
    assert told["Warehouse"] == "not looked at before the settings are mended"


def test_two_folders_are_told_apart_without_telling_where_they_are(tmp_path: Path) -> None:
    one, same, other = (read_settings(tmp_path / name, environment={}).log_id for name in ("a", "b/../a", "c"))
    assert one == same != other
