"""Judges one run: what its client meant to send against what the public views show, count and content.

Anything in the views that the client did not mean is automatic; the caller says what of that it expects.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.sdks.house import Views
from tests.sdks.scenario import SHANGHAI, Json

LOGIN = "$identity_login_id"
Kinds = Counter[tuple[str, str | None]]  # messages by record type and event name


@dataclass(frozen=True)
class Tally:
    """What became of one run, in numbers."""

    events: int
    calls: int
    automatic: Kinds


def judge(views: Views, story: Json, said: Json) -> Tally:
    """Compare everything; raises AssertionError at the first difference."""
    assert said["failures"] == []
    steps = {step["step"]: step for step in story["steps"]}
    person = _person_of(views, story)
    events = [row for row in views.events if row["person_id"] == person]
    calls = [row for row in views.calls if row["person_id"] == person or _is_item_of(row, story)]
    for entry in said["sent"]:
        if "at_ms" in entry:
            _judge_event(events, steps[entry["step"]], entry, said, story)
    _judge_identities(views, story, said, person)
    _judge_profile(views, person, said, steps)
    _judge_account(views, story, said)
    _judge_items(calls, said, steps)
    meant: Kinds = Counter((entry["record_type"], entry.get("event")) for entry in said["sent"])
    found: Kinds = Counter((row["record_type"], row.get("event_name")) for row in [*events, *calls])
    assert not meant - found, f"missing in the views: {meant - found}"
    event_count = sum(count for (_, event), count in meant.items() if event is not None)
    return Tally(event_count, meant.total() - event_count, found - meant)


def judge_nothing_else(views: Views, stories: list[Json]) -> None:
    """No reject, and no event or call of anybody but the people of these stories."""
    assert [(row["reason"], row["detail"], row["original"]) for row in views.rejects] == []
    persons = {_person_of(views, story) for story in stories}
    assert len(persons) == len(stories), "each run has a teacher of its own"
    assert {row["person_id"] for row in views.events} == persons
    assert {row["person_id"] for row in views.calls if row["target"] != "item"} == persons


def judge_dry(views: Views, story: Json, said: Json) -> None:
    """Compare a dry run: its client is content, and nothing of it is anywhere."""
    assert said["failures"] == []
    assert said["sent"], "the client meant nothing"
    values = {story[who] for who in ("teacher", "device", "tablet", "mobile")}
    assert not [row for row in views.identities if row["identity_value"] in values]
    assert not [row for row in [*views.events, *views.calls] if story["run"] in str(row.get("properties"))]
    assert not [row for row in views.calls if _is_item_of(row, story)]


def _person_of(views: Views, story: Json) -> Any:
    login = (LOGIN, story["teacher"])
    found = [row for row in views.identities if (row["identity_key"], row["identity_value"]) == login]
    assert len(found) == 1, f"{story['teacher']} is {len(found)} identities"
    return found[0]["person_id"]


def _is_item_of(row: Json, story: Json) -> bool:
    return row["target"] == "item" and str(row["item_id"]).endswith(f"-{story['run']}")


def _judge_event(events: list[Json], step: Json, entry: Json, said: Json, story: Json) -> None:
    found = [row for row in events if _has_step(row, entry)]
    assert len(found) == 1, f"step {entry['step']}, {entry['event']}, is there {len(found)} times"
    (row,) = found
    assert (row["event_name"], row["record_type"]) == (entry["event"], entry["record_type"])
    at_ms = row["event_at"].replace(tzinfo=UTC).timestamp() * 1000
    if entry["at_ms"] is None:
        assert said["started_ms"] - 1 <= at_ms <= said["ended_ms"] + 1
    else:
        assert round(at_ms) == entry["at_ms"], f"step {entry['step']} happened at {row['event_at']}"
    stored = row["properties"] | row["other_properties"]
    for name, meant in entry["properties"].items():
        assert same(stored.get(name), meant), f"{entry['event']}.{name}: meant {meant!r}, found {stored.get(name)!r}"
    if step.get("names_account"):
        assert row["account_id"] == story["account"]


def _has_step(row: Json, entry: Json) -> bool:
    stored = row["properties"]
    return bool(stored.get("step") == entry["step"] and stored.get("run") == entry["properties"]["run"])


def _judge_identities(views: Views, story: Json, said: Json, person: Any) -> None:
    owners = {
        (row["identity_key"], row["identity_value"]): (row["person_id"], row["is_unbound"]) for row in views.identities
    }
    unbound = [tuple(entry["unbound"]) for entry in said["sent"] if "unbound" in entry]
    for key, value in said["identities"]:
        assert owners.get((key, value)) == (person, (key, value) in unbound), f"{key} {value}"


def _judge_profile(views: Views, person: Any, said: Json, steps: dict[int, Json]) -> None:
    (row,) = [each for each in views.persons if each["person_id"] == person]
    stored = json.loads(row["properties"] or "{}")
    meant, ever = expected_profile([(steps[entry["step"]], entry["properties"]) for entry in said["sent"]])
    for name in ever:
        assert same(stored.get(name), meant.get(name)), f"{name}: meant {meant.get(name)!r}, found {stored.get(name)!r}"


def expected_profile(changes: list[tuple[Json, Json]]) -> tuple[Json, set[str]]:
    """What a profile holds after these steps, and every name they touched."""
    profile: Json = {}
    ever: set[str] = set()
    for step, properties in changes:
        if step["do"] != "profile":
            continue
        ever |= properties.keys()
        match step["operation"]:
            case "set":
                profile |= properties
            case "set_once":
                profile = properties | profile
            case "increment":
                profile |= {name: profile.get(name, 0) + by for name, by in properties.items()}
            case "append":
                profile |= {name: profile.get(name, []) + more for name, more in properties.items()}
            case "unset":
                profile = {name: value for name, value in profile.items() if name not in properties}
            case "delete":
                profile = {}
    return profile, ever


def _judge_account(views: Views, story: Json, said: Json) -> None:
    rows = [row for row in views.accounts if row["account_id"] == story["account"]]
    assert len(rows) == 1, f"{story['account']} is there {len(rows)} times"
    assert rows[0]["person_count"] == 1
    stored = json.loads(rows[0]["properties"] or "{}")
    for entry in said["sent"]:
        if "account" in entry:
            assert stored == entry["properties"]


def _judge_items(calls: list[Json], said: Json, steps: dict[int, Json]) -> None:
    sent = [entry for entry in said["sent"] if entry["record_type"].startswith("item_")]
    items = [steps[entry["step"]] for entry in sent]
    meant = [(item["type"], item["name"], item["operation"], item["properties"]) for item in items]
    found = [
        (row["item_type"], row["item_id"], row["operation"], json.loads(row["changes"] or "{}"))
        for row in calls
        if row["target"] == "item"
    ]
    assert [each[:3] for each in found] == [each[:3] for each in meant]
    for (*_, stored), (*_, properties) in zip(found, meant, strict=True):
        assert properties.items() <= stored.items()


def same(stored: Any, meant: Any) -> bool:
    """Is it the value that was meant? Dates come as the text a client makes of them, objects as JSON text."""
    if isinstance(meant, dict) and "$date_ms" in meant:
        return bool(moment_ms(stored) == meant["$date_ms"])
    if isinstance(meant, dict) and isinstance(stored, str):
        return bool(json.loads(stored) == meant)
    return bool(stored == meant) and isinstance(stored, bool) == isinstance(meant, bool)


def moment_ms(text: Any) -> int | None:
    """Milliseconds since 1970 of a date as the clients write it; without a zone it is the wall clock of the story.

    The digits after the point are a count of milliseconds where there are up to three: clients do not pad them.
    """
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", str(text))
    if found is None:
        return None
    whole, fraction, zone = found.groups()
    moment = datetime.fromisoformat(whole + (zone or ""))
    moment = moment if zone else moment.replace(tzinfo=SHANGHAI)
    millis = int(fraction or 0) if len(fraction or "") <= 3 else round(int(fraction) / 10 ** (len(fraction) - 3))
    return round(moment.timestamp() * 1000) + millis
