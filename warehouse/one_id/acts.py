"""What operators set: the rules, links taken back and values blocked.

Rules hold from their place in the log on; a link taken back and a blocked value for the whole past, until restored.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from ingest.identity.history import RulesHistory
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.message import Identity
from warehouse.one_id.graph import BLOCKED, RETRACTED
from warehouse.one_id.sightings import Sightings

_Codes = npt.NDArray[np.int8]
RETRACTING_ACTS = frozenset({"retract_link", "split_person"})
RESTORING_ACTS = frozenset({"restore_link", "join_person"})
VOIDING_ACTS = RETRACTING_ACTS | RESTORING_ACTS | {"block_value", "unblock_value"}


@dataclass(frozen=True)
class Voids:
    """What does not link by the acts so far; a blocked value holds for one key, or for any (None)."""

    retracted: frozenset[frozenset[Identity]] = frozenset()
    blocked: frozenset[tuple[str | None, str]] = frozenset()

    def after(self, act: str, details: dict[str, Any]) -> "Voids":
        """The same after one more act."""
        if act in RETRACTING_ACTS:
            return Voids(self.retracted | links_of(details), self.blocked)
        if act in RESTORING_ACTS:
            return Voids(self.retracted - links_of(details), self.blocked)
        if act == "block_value":
            return Voids(self.retracted, self.blocked | {(details.get("key"), details["value"])})
        if act == "unblock_value":
            return Voids(self.retracted, self.blocked - {(details.get("key"), details["value"])})
        return self

    def is_blocked(self, identity: Identity) -> bool:
        """Whether nothing may be linked to an identity."""
        return (identity.key, identity.value) in self.blocked or (None, identity.value) in self.blocked

    def code(self, one: Identity, other: Identity) -> int:
        """The outcome that acts give a link between two identities; 0 where they give none."""
        if self.blocked and (self.is_blocked(one) or self.is_blocked(other)):
            return BLOCKED
        return RETRACTED if frozenset({one, other}) in self.retracted else 0

    def codes(self, sightings: Sightings, identities: Sequence[Identity]) -> _Codes:
        """The outcome that acts give the link between each sighting and the owner of its message; 0 where none."""
        codes = np.zeros(len(sightings.pair), np.int8)
        if not (self.retracted or self.blocked):
            return codes
        named = {identity for link in self.retracted for identity in link}
        is_named = np.array([each in named or self.is_blocked(each) for each in identities], np.bool_)
        owner_at = np.arange(len(codes)) - sightings.nth()
        for at in np.flatnonzero(is_named[sightings.pair] | is_named[sightings.pair[owner_at]]).tolist():
            codes[at] = self.code(identities[sightings.pair[owner_at[at]]], identities[sightings.pair[at]])
        return codes


def links_of(details: dict[str, Any]) -> frozenset[frozenset[Identity]]:
    """The links that an act names: one, or several under `links`."""
    return frozenset(
        frozenset({Identity(**each["left"]), Identity(**each["right"])}) for each in details.get("links", [details])
    )


def touched_by(act: str, details: dict[str, Any]) -> tuple[set[Identity], set[str]]:
    """The pairs that an act may move, and the values that it may under any key."""
    if act in RETRACTING_ACTS | RESTORING_ACTS:
        return {identity for link in links_of(details) for identity in link}, set()
    if details.get("key") is not None:
        return {Identity(details["key"], details["value"])}, set()
    return set(), {details["value"]}


def read_voids(connection: duckdb.DuckDBPyConnection, until_order: str | None = None) -> Voids:
    """What the acts in the warehouse make void, up to a place in the log."""
    statement = "select act, details from store.acts where $until is null or log_order < $until order by log_order"
    rows = connection.execute(statement, {"until": until_order}).fetchall()
    return voids_after(Voids(), ((act, json.loads(details)) for act, details in rows if act in VOIDING_ACTS))


def voids_after(voids: Voids, acts: Iterable[tuple[str, dict[str, Any]]]) -> Voids:
    """The voids after more acts, in their order."""
    for act, details in acts:
        voids = voids.after(act, details)
    return voids


def read_rules_history(connection: duckdb.DuckDBPyConnection) -> RulesHistory:
    """All rules that were ever set."""
    statement = "select epoch_us(received_at), details from store.acts where act = ? order by log_order"
    return RulesHistory(connection.execute(statement, [SET_IDENTITY_RULES]).fetchall())
