"""Telling small stories of identities in one line a message, and who owns which events in the end.

A story is told to the graph alone, or sent and loaded, its messages by turns in the native form and as clients of
Sensors send them. Both have to come to the same persons.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.identity.reading import read_rules
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.record import Act, Request
from tests.identity_oracle import Incarnation, Said
from tests.one_id_folding import FoldedWorld
from tests.stories import NOON_MS, NOON_US, SECOND_US, StoryLog, load_story, native, rows, sensors, unbind
from warehouse.warehouse import Warehouse

COOKIE, MOBILE = "$identity_cookie_id", "$identity_mobile"
OPENID, UNIONID = "$identity_mp_openid", "$identity_mp_unionid"
Who = Mapping[str, str]
Owned = dict[str, str]
"""The events of each person, both in words: `{"D1 L1": "e1 e2", "L2": ""}`. A pair's second life is `m1'`."""
EVENTS = "select event_name, person_id from events order by log_order"
PERSONS = "select identity_value, incarnation, person_id from identities order by all"


@dataclass(frozen=True)
class Told:
    """One message: who is named, and the event if it is one that the story follows."""

    who: Who
    event: str = ""
    call: str = "track"


def does(event: str, who: Who) -> Told:
    """Somebody does something."""
    return Told(who, event)


def signs_up(device: Who, login: Who, event: str = "") -> Told:
    """A device says whose it is."""
    return Told({**device, **login}, event, "track_signup")


def binds(*who: Who, event: str = "") -> Told:
    """A client says that identities are one person's."""
    return Told({key: value for each in who for key, value in each.items()}, event, "track_id_bind")


def frees(who: Who) -> Told:
    """A client says that an identity is free."""
    return Told(who, call="track_id_unbind")


def fold(rules: Mapping[str, Any], *messages: Told) -> Owned:
    """The story in the graph alone."""
    world = FoldedWorld(b"sixteen bytes of salt", read_rules(dict(rules), "rules"))
    said = [
        Said(tuple(told.who.items()), told.call == "track_id_unbind", told.call, number)
        for number, told in enumerate(messages, 1)
    ]
    world.say(said)
    founders = world.founders()
    acted = [
        (told.event, founders[owner])
        for told, owner in zip(messages, world.owners, strict=True)
        if owner is not None and told.event
    ]
    return _owned([(_name(one.value, one.number), founder) for one, founder in founders.items()], acted)


def send(folder: Path) -> "Tell":
    """The story sent and loaded."""
    forms = (_as_native, _as_sensors)

    def tell(rules: Mapping[str, Any], *messages: Told) -> Owned:
        sent = [forms[number % 2](told) for number, told in enumerate(messages)]
        return owned_in(load_story(logged(folder, rules, *sent)))

    return tell


Tell = Callable[..., Owned]


def logged(folder: Path, rules: Mapping[str, Any], *entries: Request | Act) -> StoryLog:
    """A log whose project has these rules from the beginning."""
    log = StoryLog(folder)
    log.append(Act(SET_IDENTITY_RULES, "head office", {"rules": dict(rules)}), NOON_US - 5 * SECOND_US)
    log.tell(*entries)
    return log


def owned_in(warehouse: Warehouse) -> Owned:
    """The persons of a warehouse, and the story's events of each."""
    named = [(_name(value, number), person) for value, number, person in rows(warehouse, PERSONS)]
    return _owned(named, [(event, person) for event, person in rows(warehouse, EVENTS) if event.startswith("e")])


def _as_native(told: Told) -> Request:
    if told.call == "track_id_unbind":
        return unbind(told.who)
    if told.event:
        return native({"event_name": told.event, "identities": dict(told.who)})
    return native({"record_type": "identify", "identities": dict(told.who), "properties": {"grade": 3}})


def _as_sensors(told: Told) -> Request:
    fields: dict[str, Any] = {"type": told.call, "event": told.event or "$Named", "time": NOON_MS, "properties": {}}
    if set(told.who) == {ANONYMOUS_ID, LOGIN_ID} and told.call == "track_signup":
        return sensors({**fields, "distinct_id": told.who[LOGIN_ID], "original_id": told.who[ANONYMOUS_ID]})
    if set(told.who) == {ANONYMOUS_ID}:
        return sensors({**fields, "distinct_id": told.who[ANONYMOUS_ID]})
    if set(told.who) == {LOGIN_ID}:
        return sensors({**fields, "distinct_id": told.who[LOGIN_ID], "properties": {"$is_login_id": True}})
    return sensors({**fields, "identities": dict(told.who)})


def _name(value: str, incarnation: int) -> str:
    return value + "'" * incarnation


def _owned(named: Iterable[tuple[str, Incarnation | Any]], acted: Iterable[tuple[str, Incarnation | Any]]) -> Owned:
    names, events = defaultdict(list), defaultdict(list)
    for name, person in named:
        names[person].append(name)
    for event, person in acted:
        events[person].append(event)
    return {" ".join(sorted(names[person])): " ".join(events[person]) for person in names}
