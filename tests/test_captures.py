"""Whole recordings of the real clients: every request decodes, nothing is refused or lost, and the docs say so."""

import base64
import gzip
import json
from collections import Counter
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs

from tests.sdks.captures_table import DOCUMENT, Recorded, document_with, recordings, table

RECORDINGS = recordings()
CALLS = {"t": "track", "p": "page", "s": "screen", "i": "identify", "a": "alias", "g": "group"}


def plainly_read(each: Recorded) -> list[dict[str, Any]]:
    """The messages of a request as the standard library reads them: slow, obvious, and no code of ours."""
    body = each.request.body
    body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    if body[:1] == b"{":
        value = json.loads(body)
        if "batch" in value:
            return list(value["batch"])
        return [value | {"type": CALLS[each.request.path[-1]]}]
    form = parse_qs(body.decode() or each.request.query)
    data = base64.b64decode(form.get("data_list", form.get("data", []))[0])
    events = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return events if isinstance(events, list) else [events]


def test_nothing_recorded_is_refused() -> None:
    assert [(each.client, each.step, reject) for each in RECORDINGS for reject in each.decoded.rejects] == []
    assert len({each.client for each in RECORDINGS}) == 6


def test_every_message_of_every_request_is_there_in_its_order() -> None:
    for each in RECORDINGS:
        sent = [(message["type"], message.get("event")) for message in plainly_read(each)]
        page_events = {"page": "$pageview", "screen": "$screen"}
        meant = [(record_type, page_events.get(record_type, event)) for record_type, event in sent]
        assert [(one.record_type, one.event_name) for one in each.decoded.messages] == meant, each.step
    assert sum(len(each.decoded.messages) for each in RECORDINGS) == sum(len(plainly_read(each)) for each in RECORDINGS)


def test_what_was_refused_came_again_and_can_be_told_from_a_second_event() -> None:
    faults = [each for each in RECORDINGS if each.step.startswith("fault")]
    assert Counter(each.is_refused for each in faults)[True] == 8
    for step, group in groupby(faults, key=lambda each: (each.client, each.step)):
        keys: dict[bool, set[tuple[str | bytes | None, int]]] = {True: set(), False: set()}
        for each in group:
            for message in each.decoded.messages:
                keys[each.is_refused].add((message.dedupe_key or message.content_hash, message.original_event_at_us))
        assert keys[True], step
        assert keys[True] <= keys[False], f"{step}: what was refused never came again"


def test_debugging_clients_ask_for_a_judgement_or_for_a_place() -> None:
    debugging = [each for each in RECORDINGS if each.request.path == "/debug"]
    assert [(each.is_dry_run, len(each.decoded.messages)) for each in debugging] == [(False, 1), (True, 1)]


def test_the_table_in_the_docs_is_what_the_recordings_become() -> None:
    made = document_with(table(RECORDINGS))
    assert DOCUMENT.read_text(encoding="utf-8") == made, "run `python -m tests.sdks.captures_table --write`"
