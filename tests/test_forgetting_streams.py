"""Forgetting in random streams: whoever goes, the events of everybody else keep ids, persons, places and order."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.forgetting import retractions
from ingest.erasure.deletions import Deletion, Deletions
from ingest.erasure.survey import deletion_of, survey_log
from ingest.erasure.sweeping import SWEPT_NAME, sweep
from ingest.log.files import list_files, read_records
from ingest.log.sealing import seal_stream
from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.record import Request
from ingest.settings import DecodeSettings
from tests.examples import histories
from tests.forgetting import OWNERS, eraser_of
from tests.stories import (
    NOON_MS,
    NOON_US,
    PROJECT,
    SECOND_US,
    StoryLog,
    load_story,
    native,
    post,
    rows,
    segment,
    sensors,
)
from warehouse.forgetting import linked_values, pairs_of
from warehouse.pinning import pin_incarnations
from warehouse.warehouse import Warehouse

EVERYBODYS = """
select event_id::varchar, person_id::varchar, log_order, event_name, to_json(properties)::varchar from events
union all
select call_id::varchar, person_id::varchar, log_order, record_type, changes from calls
order by log_order
"""
PAIRS = [
    *((LOGIN_ID, name) for name in ("anna", "ben", "cleo")),
    *((ANONYMOUS_ID, name) for name in ("tablet", "phone", "laptop")),
    *(("$identity_mobile", number) for number in ("1390", "1391")),
]
WHO = st.lists(st.sampled_from(PAIRS), min_size=1, max_size=2, unique_by=lambda pair: pair[0]).map(dict)
KINDS = st.sampled_from(["native", "lines", "segment", "sensors", "unbind"])
REQUESTS = st.lists(st.tuples(KINDS, st.lists(WHO, min_size=1, max_size=3)), min_size=2, max_size=7)


def request(kind: str, number: int, senders: list[dict[str, str]]) -> Request:
    """One request of that kind, in which each sender has one message; every message is another one.

    As the clients do it, an unbinding frees one identity.
    """
    names = [f"e{number}-{index}" for index in range(len(senders))]
    if kind == "unbind":
        free = {"type": "track_id_unbind", "event": "$UnbindID", "time": NOON_MS + number, "properties": {}}
        return sensors({**free, "identities": dict([*senders[0].items()][:1])})
    if kind == "sensors":
        track = {"type": "track", "time": NOON_MS + number, "properties": {"n": number}}
        return sensors(*({**track, "event": name, "identities": who} for name, who in zip(names, senders, strict=True)))
    if kind == "segment":
        ids = {LOGIN_ID: "userId", ANONYMOUS_ID: "anonymousId"}
        calls = [{ids.get(key, "other"): value for key, value in who.items()} for who in senders]
        return segment(*({"type": "track", "event": name, **who} for name, who in zip(names, calls, strict=True)))
    messages = [{"event_name": name, "identities": who} for name, who in zip(names, senders, strict=True)]
    if kind == "lines":
        return post("/events", b"\n".join(json.dumps(each).encode() for each in messages))
    return native(*messages)


def everybodys(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every event and call; of its properties those that have a value."""
    found = rows(warehouse, EVERYBODYS)
    return [(*row, {name: value for name, value in json.loads(said or "{}").items() if value}) for *row, said in found]


def forget(log: StoryLog, warehouse: Warehouse, person_id: str) -> list[Deletion]:
    """As the command does it, but that the act itself is not written: it changes no row."""
    with warehouse.snapshot() as snapshot:
        pairs, linked = pairs_of(snapshot, person_id), linked_values(snapshot, person_id)
    survey = survey_log(log.folder, pairs, linked, DecodeSettings(), OWNERS)
    for number, act in enumerate(retractions(survey, "head office")):
        log.append(act, NOON_US + 3600 * SECOND_US + number, "operator")
    deletion = Deletion(NOON_US + 7200 * SECOND_US, deletion_of(person_id, pairs, survey.own_values, PROJECT.salt))
    for stream in ("collector", "operator"):
        seal_stream(log.folder, stream)
    sweep(log.folder, [deletion], eraser_of([deletion]))
    return [deletion]


def positions(log: Path) -> list[Any]:
    found = read_records(log, "collector", 0, 0, 1 << 60)
    return [(position, end, entry.received_at_us) for position, end, entry in found]


@histories(3)
@given(REQUESTS, st.integers(0, 5))
def test_nobody_else_changes(requests: Sequence[tuple[str, list[dict[str, str]]]], which: int) -> None:
    with TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        log.tell(*(request(kind, number, senders) for number, (kind, senders) in enumerate(requests)))
        before = load_story(log)
        persons = [row[0] for row in rows(before, "select person_id::varchar from persons order by 1")]
        if not persons:
            return
        gone = persons[which % len(persons)]
        expected = [row for row in everybodys(before) if row[1] != gone]
        places = positions(log.folder)
        deletions = forget(log, before, gone)
        after = load_story(log)
        with after.write() as connection:  # as a load does, once the act has come
            pin_incarnations(connection, PROJECT.salt, Deletions(deletions, PROJECT.salt), None)
        assert everybodys(after) == expected
        assert positions(log.folder) == places
        check_erasing_again_changes_nothing(log.folder, deletions)


def check_erasing_again_changes_nothing(log: Path, deletions: list[Deletion]) -> None:
    files = {each.path: each.path.read_bytes() for each in list_files(log / "collector")}
    (log / SWEPT_NAME).unlink()
    assert sweep(log, deletions, eraser_of(deletions)).rewritten == 0
    assert {path: path.read_bytes() for path in files} == files
