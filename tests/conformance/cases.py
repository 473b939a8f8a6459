"""A case in neutral words, and the warehouse of its events: sent, decoded and loaded as anybody's would be.

What the cases are is said beside them, in given/README.md. Users are logins; an alias is a device that an identify call
joins to its user; groups are accounts of a type of their own.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.settings import DecodeSettings
from models.asking import Answer, People, ask, ask_people
from models.calendar import Calendar, Period, WeekStart
from models.conditions import OPPOSITES
from models.errors import NoSuchNumber
from models.filters import Filter, FilterGroup, PropertyFilter, PropertyOwner
from models.matching import EventMatch
from models.questions import QuestionKind, QuestionT
from tests.stories import Json, StoryLog, native, new_warehouse, rows
from warehouse.load import Loader
from warehouse.snapshot import DuckDBSnapshot
from warehouse.warehouse import Warehouse

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)  # of times that are plain numbers of seconds
ANY_TIME = DecodeSettings(event_max_age_days=100 * 366, event_max_ahead_s=100 * 366 * 86_400)
SHORTEST_S = 1e-6  # stands for a window of nothing, which we refuse: events of one moment
USER = "name in the case"  # a property that every person carries
_PREFIX = "user "  # ids such as "0" would otherwise be nobody's


@dataclass(frozen=True)
class Case:
    """One case: its events, its query in neutral words, and what is expected (only the keys given there)."""

    id: str
    kind: str
    events: list[Json]
    query: Json
    expect: Json
    aliases: dict[str, str] = field(default_factory=dict)
    users: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    entity_created: dict[str, str] = field(default_factory=dict)
    is_ambiguous: bool = False

    @classmethod
    def read(cls, line: str) -> "Case":
        """A case from its line of JSON."""
        raw = json.loads(line)
        known = {name: raw[name] for name in cls.__dataclass_fields__ if name in raw}
        return cls(**known, is_ambiguous=bool(raw.get("ambiguous")))

    @property
    def calendar(self) -> Calendar:
        """The calendar of the query; weeks start on sunday unless it says otherwise."""
        week_start: WeekStart = self.query.get("week_start", "sunday")
        return Calendar(self.query.get("timezone", "UTC"), week_start)

    @property
    def period(self) -> Period:
        """From and to, both included there, as a half-open period."""
        start, end = self.query.get("from"), self.query.get("to")
        return Period(moment(start) if start else None, after(end) if end else None)


class Asked:
    """A case's warehouse, ready to be asked."""

    def __init__(self, case: Case, warehouse: Warehouse, snapshot: DuckDBSnapshot) -> None:
        self.case = case
        self.snapshot = snapshot
        self._users = {str(person): name for name, person in _persons(warehouse)}

    def ask(self, kind: QuestionKind[QuestionT], question: QuestionT) -> Answer:
        """The answer; an event that nobody sent is merely missing."""
        return ask(kind, question, self.snapshot, self.case.calendar, "missing")

    def people(self, kind: QuestionKind[QuestionT], question: QuestionT, of: Any) -> list[str]:
        """The subjects behind a number by the case's own names, in their order; a number not in the answer has none."""
        try:
            found: People = ask_people(kind, question, of, self.snapshot, self.case.calendar, absent="missing")
        except NoSuchNumber:
            return []
        assert found.count == len(found.subjects)
        return sorted(self.name(subject) for subject in found.subjects)

    def name(self, subject: str) -> str:
        """The case's name of a subject: of a person its user's, of anything else its own."""
        return self._users.get(subject, subject.removeprefix(_PREFIX))


@contextmanager
def asked(case: Case) -> Iterator[Asked]:
    """The case's events in a warehouse of their own."""
    with tempfile.TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        log.tell(native(*_messages(case)))
        warehouse = new_warehouse()
        Loader(warehouse, log.folder, ANY_TIME).load_all()
        try:
            with warehouse.snapshot() as snapshot:
                yield Asked(case, warehouse, snapshot)
        finally:
            warehouse.close()


def entity(neutral: Json) -> tuple[EventMatch, ...]:
    """The events that an entity means: one, or any of several, each with its filters."""
    outer = filters(neutral.get("where"))
    if "any_of" not in neutral:
        return (EventMatch(neutral.get("event"), outer),)
    inner = [match for each in neutral["any_of"] for match in entity(each)]
    return tuple(EventMatch(match.event, (*match.where, *outer)) for match in inner)


def filters(neutral: Json | None) -> tuple[Filter, ...]:
    """A filter in neutral words as ours; none where there is none."""
    if not neutral:
        return ()
    if "and" in neutral:
        return tuple(condition for each in neutral["and"] for condition in filters(each))
    if "or" in neutral:
        return (FilterGroup(any_of=tuple(_one(filters(each)) for each in neutral["or"])),)
    if "not" in neutral:
        return (FilterGroup(none_of=(_one(filters(neutral["not"])),)),)
    op: Any = neutral.get("op", "eq")
    value = neutral.get("value")
    if value == []:  # none of none: nobody, and everybody
        never = (
            PropertyFilter("event_name", "is_set", of="field"),
            PropertyFilter("event_name", "is_not_set", of="field"),
        )
        return (FilterGroup(all_of=never) if op == "eq" else FilterGroup(any_of=never),)
    if op in ("is_set", "is_not_set"):
        value = None
    name, owner = named(neutral)
    account_type = account_type_of(neutral["group_key"]) if owner == "account" else "account"
    values = tuple(value) if isinstance(value, list) else value
    condition = PropertyFilter(name, op, values, of=owner, account_type=account_type)
    return (_of_named_group(condition, neutral["group_key"]) if owner == "account" else condition,)


def named(neutral: Json) -> tuple[str, PropertyOwner]:
    """A property in neutral words as ours: its name, and whose it is."""
    owners: dict[str, PropertyOwner] = {"user": "person", "group": "account", "field": "field"}
    name, owner = neutral["property"], owners.get(neutral.get("of", "event"), "event")
    if owner != "field":
        return name, owner
    return ("event_name", "field") if name == "event" else (USER, "person")


def _of_named_group(condition: PropertyFilter, group_key: str) -> Filter:
    """A group is the one that the event itself names: without one, the property is missing.

    With us such an event belongs to the account that its person is in.
    """
    if condition.op in OPPOSITES:
        return FilterGroup(any_of=(PropertyFilter(group_key, "is_empty"), condition))
    return FilterGroup(all_of=(PropertyFilter(group_key, "is_not_empty"), condition))


def subject_of(case: Case) -> Json:
    """Whom the query counts, as the fields of our questions."""
    how: Any = case.query.get("aggregate_by") or "user"
    if how == "user":
        return {"by": "person"}
    if how == "raw_id":
        return {"by": "distinct_id"}
    if "property" in how:
        return {"by": "property", "by_property": how["property"]}
    return {"by": "person_property", "by_property": how["user_property"]}


def moment(text: str) -> datetime:
    """A time of a query: local (naive) where it has no offset."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def after(text: str) -> datetime:
    """The first moment after an end that is included: a bare date includes its day."""
    return moment(text) + (timedelta(days=1) if len(text) == 10 else timedelta(microseconds=1))


def event_time(time: str | float) -> datetime:
    """When an event happened: numbers are seconds of a time of their own."""
    if isinstance(time, str):
        parsed = moment(time)
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return EPOCH + timedelta(seconds=time)


def is_group_key(name: str | None) -> bool:
    """Whether a property holds the key of a group."""
    return name is not None and name.startswith("$group_")


def account_type_of(group_key: str) -> str:
    """The type of the accounts whose ids a property holds."""
    return group_key.strip("$")


def _one(conditions: tuple[Filter, ...]) -> Filter:
    return conditions[0] if len(conditions) == 1 else FilterGroup(all_of=conditions)


def _messages(case: Case) -> Iterator[Json]:
    group_keys = _group_keys(case.query)
    for number, each in enumerate(case.events):
        properties = each.get("properties") or {}
        accounts = {account_type_of(key): str(properties[key]) for key in group_keys if properties.get(key)}
        yield {
            "event_name": each.get("event"),
            "identities": _identities(case, each["user"]),
            "event_at": event_time(each["time"]).isoformat(),
            "dedupe_key": f"{case.id}-{number}",
            "properties": {name: value for name, value in properties.items() if value is not None},
            **({"accounts": accounts} if accounts else {}),
        }
    for alias, user in case.aliases.items():
        joined = {LOGIN_ID: _PREFIX + user, ANONYMOUS_ID: _PREFIX + alias}
        yield {"record_type": "identify", "identities": joined, "properties": {}}
    acting = {str(case.aliases.get(each["user"], each["user"])) for each in case.events}
    for name in sorted(acting | {*case.users}):
        yield {
            "record_type": "identify",
            "identities": _identities(case, name),
            "properties": {USER: name, **case.users.get(name, {}), **_created(case, name)},
        }
    for group in {*case.groups, *(case.entity_created if group_keys else ())}:
        for key in group_keys:
            yield {
                "record_type": "group",
                "accounts": {account_type_of(key): group},
                "properties": {**case.groups.get(group, {}), **_created(case, group)},
            }


def _identities(case: Case, user: str) -> Json:
    return {ANONYMOUS_ID if user in case.aliases else LOGIN_ID: _PREFIX + user}


def _created(case: Case, entity_id: str) -> Json:
    created = case.entity_created.get(entity_id)
    return {"created_at": event_time(created).isoformat()} if created else {}


def _group_keys(neutral: Any) -> list[str]:
    """The properties that hold the key of a group, wherever the query names one."""
    if isinstance(neutral, list):
        return sorted({key for each in neutral for key in _group_keys(each)})
    if not isinstance(neutral, dict):
        return []
    own = [neutral["group_key"]] if "group_key" in neutral else []
    how = neutral.get("aggregate_by")
    if isinstance(how, dict) and is_group_key(how.get("property")):
        own.append(how["property"])
    return sorted({*own, *(key for value in neutral.values() for key in _group_keys(value))})


def _persons(warehouse: Warehouse) -> list[tuple[str, str]]:
    devices_first = "select identity_value, cast(person_id as varchar) from identities order by identity_key"
    found = rows(warehouse, devices_first)
    return [(value.removeprefix(_PREFIX), person) for value, person in found]
