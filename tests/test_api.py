"""The API as its callers meet it: real services in one process each, asked over HTTP; and who is let in."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ingest.log.writer import LogWriter
from ingest.record import Request
from models.kinds import KINDS
from tests.houses import House, wait_for
from tests.waiting import DEADLINE_S

PERSON = {"$identity_login_id": "teacher-1"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("api") / "data")
    with house.up():
        yield house


def track(name: str, key: str, **properties: object) -> dict[str, object]:
    return {"event_name": name, "identities": PERSON, "dedupe_key": key, "properties": properties}


def test_an_answered_event_can_be_asked_for_by_its_id(house: House) -> None:
    for number in range(3):  # how soon is measured: `make bench ARGS=freshness`
        answer = httpx.post(f"{house.collector}/events", json=track("Warm", f"warm-{number}")).json()
        event_id = answer["results"][0]["event_id"]
        wait_for(house, f"select count(*) = 1 from events where event_id = '{event_id}'")


def test_both_services_say_how_they_are(house: House) -> None:
    assert httpx.get(f"{house.collector}/health").json()["status"] == "ok"
    health = httpx.get(f"{house.server}/health").json()
    assert (health["status"], health["problem"]) == ("ok", None)


def test_openapi_documents_every_endpoint_and_the_native_form(house: House) -> None:
    described = httpx.get(f"{house.server}/openapi.json").json()
    paths, schemas = described["paths"], described["components"]["schemas"]
    prefix = "/api/v1/projects/{project}/"
    assert {path.removeprefix(prefix) for path in paths if path.startswith(prefix)} == {
        *(f"{kind.name}{what}" for kind in KINDS for what in ("", "/people", "/sql")),
        *("retention", "sql", "status", "arrivals", "refresh", "tail", "catalog"),
        *("rejects", "rejects/summary", "rejects/original", "replay", "plan", "plan/check", "plan/draft"),
        *("account", "persons/export", "persons/{person}/why"),
        *("identity/acts", "identity/alarms", "identity/numbers", "identity/rules"),
    }
    asked = paths[f"{prefix}trend/people"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert {"question", "of", "limit"} == set(schemas[asked.rpartition("/")[2]]["properties"])
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert {"TrendAnswer", "FunnelQuestion-Input"} <= references <= set(schemas)
    native = httpx.get(f"{house.collector}/openapi.json").json()["paths"]["/events"]["post"]
    assert "identities" in json.dumps(native)
    assert "://" not in httpx.get(f"{house.server}/docs").text.replace("http://www.w3.org", "")


def test_a_wrong_question_gets_a_sentence(house: House) -> None:
    steps = [{"any_of": [{"event": "Warm", "where": [{"property": "chanel", "op": "eq", "value": "x"}]}]}]
    answer = httpx.post(f"{house.project}/funnel", json={"steps": steps})
    assert answer.status_code == 422
    assert "did you mean 'channel'" in answer.json()["detail"]
    empty = httpx.post(f"{house.project}/funnel", json={"steps": []})
    assert "1 to 30 steps" in empty.text
    nowhere = httpx.post(f"{house.server}/api/v1/projects/nowhere/retention", json={})
    assert (nowhere.status_code, nowhere.json()["detail"]) == (404, "there is no project 'nowhere'; there is 'default'")


def test_sql_is_one_select_and_comes_as_json_or_csv(house: House) -> None:
    sql = {"sql": "select 'a,b' as text, 7 as number, null as nothing"}
    assert httpx.post(f"{house.project}/sql", json=sql).json()["rows"] == [["a,b", 7, None]]
    as_csv = httpx.post(f"{house.project}/sql", json=sql, headers={"accept": "text/csv"})
    assert as_csv.text == 'text,number,nothing\n"a,b",7,\n'
    for statement in (
        "drop table store.events",
        "select 1; select 2",
        "copy events to 'x.csv'",
        "set threads = 1",
        "nonsense",
    ):
        assert httpx.post(f"{house.project}/sql", json={"sql": statement}).status_code == 422, statement
    assert (
        "file system operations are disabled"
        in httpx.post(f"{house.project}/sql", json={"sql": "from read_csv('/etc/passwd')"}).text
    )
    cut = httpx.post(f"{house.project}/sql", json={"sql": "from range(20000)"}).json()
    assert (len(cut["rows"]), cut["is_cut"]) == (10_000, True)


def test_the_command_line_asks_the_running_server(house: House) -> None:
    httpx.post(f"{house.collector}/events", json=[track("Asked", "asked-1"), track("Asked", "asked-2")])
    wait_for(house, "select count(*) = 2 from events where event_name = 'Asked'")
    count = "select count(*) as n from events where event_name = 'Asked'"
    assert json.loads(house.cli("sql", count, "--format", "json").stdout) == [{"n": 2}]
    assert house.cli("sql", count, "--format", "csv").stdout == "n\n2\n"
    before_all = ("--known-at", "2001-01-01")
    assert house.cli("sql", count, *before_all, "--format", "csv").stdout == "n\n0\n"
    assert "0" in house.cli("funnel", "Asked", *before_all).stdout
    funnel = house.cli("funnel", "Asked")
    assert ("Asked" in funnel.stdout, funnel.stderr) == (True, "")
    misspelt = house.cli("funnel", "Aksed").stderr
    assert misspelt == "onepath: No event is named 'Aksed': did you mean 'Asked'?\n"
    assert "cohort" in house.cli("retention").stdout
    assert "1. reach" in house.cli("sales-path", "--by", "account").stdout
    assert "daily_activity" in house.cli("refresh").stdout
    wrong = house.cli("sql", "delete from events")
    assert (wrong.returncode, wrong.stderr) == (1, "onepath: a DELETE statement; only SELECT can be run here\n")


def test_bad_input_is_kept_with_its_reason_and_shown(house: House) -> None:
    httpx.post(f"{house.collector}/events", content=b"this is no JSON")
    httpx.post(f"{house.collector}/sa", content=b"data=%%%")
    httpx.post(f"{house.collector}/events", content=b'{"x": "' + b"y" * (10 << 20) + b'"}')
    wait_for(house, "select count(*) = 3 from rejects")
    shown = house.cli("rejects", "--json")
    rejects = {reject["reason"]: reject for reject in json.loads(shown.stdout)["rejects"]}
    assert rejects.keys() == {"unreadable_message", "unreadable_body", "body_too_large"}
    assert rejects["body_too_large"]["original_length"] == (10 << 20) + 9
    assert rejects["body_too_large"]["original_sha256"]
    assert "this is no JSON" in house.cli("rejects", "--reason", "unreadable_message").stdout


def test_foreign_host_names_are_not_answered(house: House) -> None:
    for url in (f"{house.server}/health", f"{house.collector}/health"):
        assert httpx.get(url, headers={"host": "evil.example"}).status_code == 421


def test_without_a_server_the_folder_answers_and_says_what_is_missing(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    with house.up():
        httpx.post(f"{house.collector}/events", json=track("Before", "before")).raise_for_status()
        wait_for(house, "select count(*) = 1 from events")
    writer = LogWriter(house.data / "log", "collector")
    writer.append(Request("POST", "/events", "", {}, "127.0.0.1", json.dumps(track("After", "after")).encode()))
    writer.close()
    asked = house.cli("sql", "select count(*) as n from events", "--format", "csv")
    assert asked.stdout == "n\n1\n"
    assert "1 request is" in asked.stderr
    assert "not loaded yet" in asked.stderr
    assert "1 message kept" in house.cli("load", "--once").stdout
    after = house.cli("sql", "select count(*) as n from events", "--format", "csv")
    assert (after.stdout, after.stderr) == ("n\n2\n", "")


def test_a_server_on_another_address_wants_a_token_and_checks_it(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    refused = house.cli("serve", ONEPATH_SERVER__HOST="0.0.0.0")
    assert (refused.returncode, refused.stderr) == (
        1,
        "onepath: the server on 0.0.0.0 wants a token: set ONEPATH_SERVER__TOKEN\n",
    )
    token = "a token of some length"
    environment = {**os.environ, "ONEPATH_SERVER__HOST": "0.0.0.0", "ONEPATH_SERVER__TOKEN": token}
    command = [
        sys.executable,
        "-m",
        "api.cli",
        "serve",
        "--data",
        str(house.data),
        "--server-port",
        str(house.ports[1]),
    ]
    process = subprocess.Popen(command, env=environment)
    try:
        house._wait(process)
        status = f"{house.project}/status"
        assert httpx.get(status).status_code == 401
        assert httpx.get(status, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(status, headers={"authorization": f"Bearer {token}"}).status_code == 200
        assert httpx.get(status, auth=("anyone", token)).status_code == 200
        asked = house.cli(
            "sql", "select 1 as n", "--format", "csv", ONEPATH_SERVER__HOST="0.0.0.0", ONEPATH_SERVER__TOKEN=token
        )
        assert asked.stdout == "n\n1\n"
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
