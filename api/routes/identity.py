"""One-ID over HTTP: why somebody is one person, who stopped growing, the rules, and operators' acts."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query

from api.identity_acts import RulesFile, apply_rules, write_identity_act
from api.moved_numbers import Foreseen, foresee
from api.routes.endpoints import ServerParts, calendar_of
from api.routes.projects import known_project
from ingest.errors import IdentityRulesError
from ingest.identity.differences import rule_changes
from ingest.identity.history import rules_of
from ingest.identity.reading import check_upgrade, read_rules
from ingest.identity.rules import DEFAULT_RULES, SET_IDENTITY_RULES, IdentityRules
from models.world_numbers import ask_numbers
from warehouse.one_id.acting import ActName, details_of
from warehouse.one_id.explaining import MAX_UNLINKED, PersonWhy, explain_person
from warehouse.one_id.finding import find_person
from warehouse.reader import Snapshot
from warehouse.statements import read_statement

# What moves is asked twice, in two worlds; that may take longer than a question.
MOVED_TIMEOUT_S = 600.0
_LATEST_RULES = f"""
select received_at, operator, details from acts where act = '{SET_IDENTITY_RULES}' order by log_order desc limit 1
"""
_KEYS = "select distinct identity_key from identities order by identity_key"


@dataclass(frozen=True)
class ActRequest:
    """An act on what is named: a link_id, a value or KEY=VALUE, or identities as KEY=VALUE. A dry run only tells."""

    act: ActName
    names: tuple[str, ...]
    operator: str = "API"
    is_dry_run: bool = False


@dataclass(frozen=True)
class ActAnswer:
    """An act as the log takes it, and what it moves. It counts as soon as it is loaded."""

    act: str
    details: dict[str, Any]
    foreseen: Foreseen
    is_written: bool


@dataclass(frozen=True)
class NumberNow:
    """One of the numbers that acts are compared by."""

    question: str
    of: str
    number: int


@dataclass(frozen=True)
class Alarm:
    """A person that has as many values of a key as the rules allow, and links that were refused for that."""

    identity_key: str
    person_id: str
    value_count: int
    refused_count: int
    last_refused_at: datetime


@dataclass(frozen=True)
class KeyInForce:
    """What holds for one identity key; a person has at most `most` values of it."""

    identity_key: str
    priority: int
    most: int
    over_limit: str
    parent: str | None
    status: str


@dataclass(frozen=True)
class RulesAnswer:
    """The rules set last, as their file has them (None: the defaults hold), and what holds for each key."""

    rules: dict[str, Any] | None
    applied_at: datetime | None
    operator: str | None
    file_name: str | None
    sha256: str | None
    keys: tuple[KeyInForce, ...]
    watermark: str


@dataclass(frozen=True)
class RulesRequest:
    """Rules in the form of their file; `operator` says who sets them. A dry run writes nothing."""

    rules: dict[str, Any]
    file_name: str = "rules"
    operator: str = "API"
    is_dry_run: bool = False


@dataclass(frozen=True)
class RulesChange:
    """One setting before and after."""

    setting: str
    before: Any
    after: Any


@dataclass(frozen=True)
class RulesApplied:
    """What the new rules change, and from when on (microseconds since 1970 UTC) they hold; None after a dry run."""

    changes: tuple[RulesChange, ...]
    in_force_from_us: int | None


def create_identity(server: ServerParts) -> APIRouter:
    """The routes of One-ID."""
    settings, warehouse = server.settings, server.warehouse
    router = APIRouter(prefix="/api/v1/projects/{project}", dependencies=[Depends(known_project(settings))])

    @router.get("/persons/{person:path}/why")
    def why(person: str, limit: Annotated[int, Query(ge=0, le=MAX_UNLINKED)] = 100) -> PersonWhy:
        """Why somebody is one person; `person` is a person_id, the beginning of one, KEY=VALUE, or a value."""
        with warehouse.snapshot() as snapshot:
            return explain_person(snapshot, find_person(snapshot, person), limit)

    @router.get("/identity/alarms")
    def alarms() -> list[Alarm]:
        """Persons that stopped growing because of a limit."""
        with warehouse.snapshot() as snapshot:
            rows = snapshot.query(read_statement("one_id/persons_at_limit")).to_pylist()
        return [Alarm(**row) for row in rows]

    @router.get("/identity/numbers")
    def numbers() -> list[NumberNow]:
        """The numbers that acts are compared by, as they are now."""
        with warehouse.snapshot(timeout_s=MOVED_TIMEOUT_S) as snapshot:
            found = ask_numbers(snapshot, settings.project.stages, calendar_of(settings))
        return [NumberNow(question, of, number) for (question, of), number in found.items()]

    @router.post("/identity/acts")
    def act(request: ActRequest) -> ActAnswer:
        """Retract or restore a link, split or join persons, block or unblock a value; says what that moves."""
        with warehouse.snapshot(timeout_s=MOVED_TIMEOUT_S) as snapshot:
            details = details_of(snapshot, request.act, request.names)
            foreseen = foresee(snapshot, request.act, details, settings.project.stages, calendar_of(settings))
        if not request.is_dry_run:
            write_identity_act(settings.log_folder, request.act, request.operator, details)
        return ActAnswer(request.act, details, foreseen, not request.is_dry_run)

    @router.get("/identity/rules")
    def rules() -> RulesAnswer:
        """The identity rules set last, and what they say of each key."""
        with warehouse.snapshot() as snapshot:
            return answer_rules(snapshot)

    @router.post("/identity/rules")
    def set_rules(request: RulesRequest) -> RulesApplied:
        """Set identity rules: they hold for what arrives from a second later on."""
        sha256 = hashlib.sha256(msgspec.json.encode(request.rules, order="sorted")).hexdigest()
        try:
            after = read_rules(request.rules, request.file_name)
            with warehouse.snapshot() as snapshot:
                before = _rules_set_last(snapshot)
            check_upgrade(before, after)
        except IdentityRulesError as error:
            raise HTTPException(422, str(error)) from error
        changes = tuple(RulesChange(*change) for change in rule_changes(before, after))
        if request.is_dry_run:
            return RulesApplied(changes, None)
        file = RulesFile(request.rules, request.file_name, sha256)
        return RulesApplied(changes, apply_rules(settings.log_folder, file, request.operator))

    return router


def answer_rules(snapshot: Snapshot) -> RulesAnswer:
    """The rules that a snapshot knows last, and the keys that were seen or are declared in them."""
    rules = _rules_set_last(snapshot)
    seen = {row["identity_key"] for row in snapshot.query(_KEYS).to_pylist()}
    names = sorted({*seen, *rules.keys}, key=lambda name: (rules.key(name).priority, name))
    keys = tuple(_key_in_force(name, rules) for name in names)
    found = snapshot.query(_LATEST_RULES).to_pylist()
    if not found:
        return RulesAnswer(None, None, None, None, None, keys, snapshot.watermark)
    details = json.loads(found[0]["details"])
    return RulesAnswer(
        rules=details["rules"],
        applied_at=found[0]["received_at"],
        operator=found[0]["operator"],
        file_name=details.get("file_name"),
        sha256=details.get("sha256"),
        keys=keys,
        watermark=snapshot.watermark,
    )


def _rules_set_last(snapshot: Snapshot) -> IdentityRules:
    found = snapshot.query(_LATEST_RULES).to_pylist()
    return rules_of(json.loads(found[0]["details"])) if found else DEFAULT_RULES


def _key_in_force(name: str, rules: IdentityRules) -> KeyInForce:
    rule = rules.key(name)
    return KeyInForce(name, rule.priority, rule.most, rule.over_limit, rule.parent, rule.status)
