"""Asking over HTTP, on the command line and from Python: one answer, the people behind it, what is kept of answers."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from api.asking import Refused
from api.client import Project
from api.errors import ApiError
from models.asking import ask
from models.calendar import Calendar
from models.filters import PropertyFilter
from models.keeping import KeptAnswers
from models.kinds import KINDS
from models.matching import Stage
from models.parts import Part
from models.questions import QuestionKind
from models.sales_path import KIND, SalesPathNumber, SalesPathQuestion
from tests.houses import House, wait_for
from tests.stories import StoryLog, device, event, loader_of, native, new_warehouse
from tests.worlds import World

PATH = (Stage.of("reach", "met"), Stage.of("pay", "paid"))
QUESTION = SalesPathQuestion(PATH)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Ann met us and paid, Bo met us."""
    house = House(tmp_path_factory.mktemp("asking") / "data")
    with house.up():
        messages = [event("met", device("ann")), event("met", device("bo")), event("paid", device("ann"))]
        httpx.post(f"{house.collector}/events", json=messages)
        wait_for(house, "select count(*) = 3 from events")
        yield house


def test_http_the_command_line_and_python_give_one_answer(house: House) -> None:
    said = json.loads(house.cli("ask", "sales-path", json.dumps(STAGES), "--format", "json").stdout)
    with Project(house.data) as project:
        answer = project.answer(QUESTION)
        people = project.people(QUESTION, SalesPathNumber(1))

    assert [row["reached"] for row in said["rows"]] == answer.frame["reached"].to_list() == [2, 1]
    assert said["watermark"] == answer.watermark
    assert said["sql"][0]["sql"] == answer.sql[0].sql
    assert len(people) == 2


def test_python_asks_what_is_said_in_json_by_the_name_of_its_kind(house: House) -> None:
    with Project(house.data) as project:
        assert project.ask("sales-path", STAGES).equals(project.ask(QUESTION))
        assert project.people("sales-path", {"stage_index": 2}, fields=STAGES) == project.people(
            QUESTION, SalesPathNumber(2)
        )


def test_a_misspelt_moment_is_not_answered_with_the_numbers_of_today(house: House) -> None:
    refused = httpx.post(f"{house.project}/sales-path?know_at=2026-07-01", json=STAGES)

    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("There is no parameter 'know_at': known_at and happened_at say as of")


def test_python_makes_no_folder_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="there is nothing at"):
        Project(tmp_path / "elsewhere")

    assert list(tmp_path.iterdir()) == []


def test_the_people_behind_a_number_are_listed(house: House) -> None:
    listed = house.cli("ask", "sales-path", json.dumps(STAGES), "--people", '{"stage_index": 2}')
    everybody = house.cli("ask", "sales-path", json.dumps(STAGES), "--people", "{}")

    [subject] = listed.stdout.splitlines()[:-1]
    assert listed.stdout.splitlines()[-1] == "1 subject"
    assert everybody.stdout.splitlines()[-1] == "2 subjects"
    with Project(house.data) as project:
        paid = project.sql("select cast(person_id as varchar) as person from events where event_name = 'paid'")
    assert paid["person"].to_list() == [subject]


def test_the_sql_of_an_answer_runs_as_it_is(house: House) -> None:
    statement = house.cli("ask", "sales-path", json.dumps(STAGES), "--sql").stdout

    rows = httpx.post(f"{house.project}/sql", json={"sql": statement}).json()

    assert [dict(zip(rows["columns"], row, strict=True))["entered"] for row in rows["rows"]] == [2, 1]


def test_the_statement_of_a_list_gives_the_list(house: House) -> None:
    of = ("--people", '{"stage_index": 1}')
    statement = house.cli("ask", "sales-path", json.dumps(STAGES), *of, "--sql").stdout
    header, *listed = house.cli("ask", "sales-path", json.dumps(STAGES), *of, "--format", "csv").stdout.splitlines()

    rows = httpx.post(f"{house.project}/sql", json={"sql": statement}).json()["rows"]

    assert header == "subject_id"
    assert [subject for [subject] in rows] == listed
    assert len(listed) == 2


def test_rows_come_as_csv_for_a_sheet(house: House) -> None:
    header, first, _ = house.cli("ask", "sales-path", json.dumps(STAGES), "--format", "csv").stdout.splitlines()

    assert header.startswith("stage_index,stage_name,entered")
    assert first.startswith("1,reach,2")


def test_the_kinds_of_question_are_listed(house: House) -> None:
    printed = house.cli("ask").stdout

    assert all(kind.name in printed for kind in KINDS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("funel", "{}"), "There is no question 'funel': did you mean 'funnel'?"),
        (("sales-path", "{stages: 1}"), "the question is no JSON, expecting property name"),
        (("sales-path", "stages.json"), "the question 'stages.json' is neither JSON, as '{...}', nor a file"),
        (("sales-path", '{"stages": [{"name": "reach", "any_of": [{"event": "mett"}]}]}'), "did you mean 'met'?"),
        (("sales-path", '{"conversion_window_s": -1}'), "give seconds, more than 0"),
        (("sales-path", '{"wher": []}'), "there is no field 'wher'"),
        (("sales-path", '{"where": [{"propety": "a", "op": "eq", "value": 1}]}'), "no field 'propety' in where.0"),
        (("sales-path", '{"where": [{"property": "a", "op": "lik"}]}'), 'where.0.op cannot be "lik": choose one of eq'),
        (
            ("sales-path", '{"where": [{"any_of": [{"property": "a", "op": "gt", "value": "x"}]}]}'),
            "where.0.any_of.0: 'gt' on 'a' compares numbers or ISO 8601 times: 'x' is neither.",
        ),
        (("sales-path", '{"stages": [{"name": "a"}]}'), "stages.0.any_of is missing"),
    ],
)
def test_a_wrong_question_gets_one_sentence(house: House, arguments: tuple[str, ...], sentence: str) -> None:
    done = house.cli("ask", *arguments)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        ("POST", "funel", "there is nothing at /api/v1/projects/default/funel: did you mean 'funnel'"),
        ("POST", "sales-path/peple", "did you mean 'sales-path/people'"),
        ("POST", "xyzzy", "there is nothing at /api/v1/projects/default/xyzzy: the API is described at /docs"),
        ("GET", "funnel", "/api/v1/projects/default/funnel takes POST, not GET: the API is described at /docs"),
        ("GET", "rejects?limit=5000", 'limit is "5000": write at most 1000'),
        ("POST", "funnel?known_at=yesterday", 'known_at is "yesterday": write a date or time, such as'),
    ],
)
def test_a_wrong_request_is_told_what_would_be_right(house: House, method: str, path: str, sentence: str) -> None:
    response = httpx.request(method, f"{house.project}/{path}", json={} if method == "POST" else None)

    assert response.status_code in (404, 405, 422)
    assert sentence in response.json()["detail"]


def test_a_body_that_is_no_json_is_told_where(house: House) -> None:
    response = httpx.post(f"{house.project}/funnel", content="{", headers={"content-type": "application/json"})

    assert response.json()["detail"].startswith("this is no JSON: expecting property name enclosed in double quotes at")


def test_a_refusal_reaches_python_as_the_same_sentence(house: House) -> None:
    unknown = SalesPathQuestion((Stage.of("reach", "mett"),))
    with Project(house.data) as project, pytest.raises(Refused, match="No event is named 'mett': did you mean 'met'"):
        project.ask(unknown)
    with pytest.raises(RuntimeError, match="with Project"):
        project.ask(QUESTION)


def test_a_kept_answer_is_never_older_than_its_watermark(tmp_path: Path) -> None:
    log, warehouse, kept = StoryLog(tmp_path), new_warehouse(), KeptAnswers(max_answers=2)
    loader = loader_of(warehouse, log)
    log.tell(native(event("met", device("ann"))))
    loader.load_all()
    calendar = Calendar()

    with warehouse.snapshot() as before:
        first = kept.ask(KIND, QUESTION, before, calendar, "missing", version=before.version)
        again = kept.ask(KIND, QUESTION, before, calendar, "missing", version=before.version)
        log.tell(native(event("met", device("bo"))), start_us=1_900_000_000_000_000)
        loader.load_all()
        with warehouse.snapshot() as after:
            newer = kept.ask(KIND, QUESTION, after, calendar, "missing", version=after.version)
        old_still = kept.ask(KIND, QUESTION, before, calendar, "missing", version=before.version)

    assert again is first is old_still
    assert [answer.rows[0].reached for answer in (first, newer)] == [1, 2]
    assert first.watermark != newer.watermark


class CountingWorld(World):
    """A world that counts how often it was asked for rows of an answer."""

    asked_count = 0

    def query(self, sql: str) -> object:
        self.asked_count += "stage_index" in sql
        return super().query(sql)


def test_only_what_depends_on_the_data_alone_is_kept() -> None:
    from tests.worlds import Carried, StoryEvent, at
    from warehouse.reader import EventProperty

    world = CountingWorld(
        [StoryEvent("ann", "met", at(0), properties={"due": "2024-01-01"})], [EventProperty("due", "text")], Carried()
    )
    kept = KeptAnswers()
    recent = replace(QUESTION, where=(PropertyFilter("due", "within_last", 60),))
    true, one = (replace(QUESTION, where=(PropertyFilter("due", "neq", value),)) for value in (True, 1))

    for question in (QUESTION, QUESTION, recent, recent, true, one):
        kept.ask(KIND, question, world, Calendar(), "missing", version=1)

    assert world.asked_count == 1 + 2 + 1 + 1
    assert kept.ask(KIND, QUESTION, world, Calendar(), "missing", version=1) == ask(
        KIND, QUESTION, world, Calendar(), "missing"
    )


STAGES = {"stages": [{"name": stage.name, "any_of": [{"event": stage.any_of[0].event}]} for stage in PATH]}


def parts_in(kind: object, found: set[type] | None = None) -> set[type]:
    """The dataclasses that a type is made of, itself included."""
    found = set() if found is None else found
    for inner in get_args(kind):
        parts_in(inner, found)
    if isinstance(kind, type) and is_dataclass(kind) and kind not in found:
        found.add(kind)
        hints = get_type_hints(kind)
        for each in fields(kind):
            parts_in(hints[each.name], found)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_part_of_a_question_passes_over_a_misspelt_field(kind: QuestionKind[Any]) -> None:
    lenient = {each.__name__ for each in parts_in(kind.question) | parts_in(kind.number) if not issubclass(each, Part)}
    assert lenient == set()
