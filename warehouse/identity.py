"""One-ID: links in canonical order in, persons out.

Pure: no I/O, no clock. An identity is a dense number here; a person is the set of identities that links have joined,
and is named after its founder, the identity that was seen first. A link that would give a person two values of a
single-valued key (a second login on one device) is refused, and nothing changes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity, uuid_of

LinkOutcome = Literal["merged", "joined", "confirmed", "refused", "retracted"]

# One person holds at most one value of these at a time.
SINGLE_VALUED_KEYS = frozenset({LOGIN_ID, "$identity_mobile", "$identity_email"})
# Which identity an event belongs to when it carries several: the earlier key; unlisted keys stand before the devices.
_PRIORITY = {LOGIN_ID: 0, "$identity_mobile": 1, "$identity_email": 2}
_DEVICE_KEYS = frozenset(
    {
        ANONYMOUS_ID,
        "$identity_cookie_id",
        "$identity_mp_id",
        "$identity_android_id",
        "$identity_android_uuid",
        "$identity_idfv",
        "$identity_ios_uuid",
        "$identity_harmony_uuid",
        "$identity_distinct_id",
    }
)
# Sent by clients that do not say whether an id is a device's or a login's; the same value under both is one identity.
SAME_VALUE_KEYS = {LOGIN_ID: ANONYMOUS_ID, ANONYMOUS_ID: LOGIN_ID}


def twin_of(identity: Identity) -> Identity | None:
    """The identity that would be the same one under another key, if the key has such a counterpart."""
    key = SAME_VALUE_KEYS.get(identity.key)
    return Identity(key, identity.value) if key is not None else None


@lru_cache(maxsize=1024)
def priority(key: str) -> int:
    """Rank of an identity key; the lowest of an event's identities is the one it belongs to."""
    return _PRIORITY.get(key, 4 if key in _DEVICE_KEYS else 3)


def by_priority(identities: Sequence[Identity]) -> Sequence[Identity]:
    """Identities from the one an event belongs to downwards; equals keep the sender's order."""
    if len(identities) == 2 and priority(identities[0].key) <= priority(identities[1].key):
        return identities  # a login before its device, as nearly every client writes them
    return sorted(identities, key=lambda identity: priority(identity.key))


def founder_digest(salt: bytes, identity: Identity, incarnation: int) -> bytes:
    """16 bytes that name the person that this identity founds: a keyed hash, the same on every replay."""
    name = f"{identity.key}\0{identity.value}\0{incarnation}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=16, key=salt).digest()


def founder_person_id(salt: bytes, identity: Identity, incarnation: int) -> UUID:
    """The public id of the person that this identity founds."""
    return uuid_of(founder_digest(salt, identity, incarnation))


class Link(NamedTuple):
    """Evidence that two identities are one person. `order` is the log order of the message that carried it."""

    left: int
    right: int
    order: str


@dataclass
class IdentityGraph:
    """Persons as a function of the links applied so far.

    `apply` and `release` must see links and unbinds in canonical order; `first_order` of an identity is the log order
    of its first sighting, with its place in that message.
    """

    founder_of: dict[int, int] = field(default_factory=dict)
    first_order: dict[int, str] = field(default_factory=dict)
    _members: dict[int, list[int]] = field(default_factory=dict)
    _single_values: dict[int, dict[str, str]] = field(default_factory=dict)
    _single_identities: dict[int, Identity] = field(default_factory=dict)

    def add(self, identity_id: int, identity: Identity, first_order: str) -> None:
        """A new identity: a person of its own until a link says otherwise."""
        self.founder_of[identity_id] = identity_id
        self._members[identity_id] = [identity_id]
        self.first_order[identity_id] = first_order
        self._single_values[identity_id] = {}
        if identity.key in SINGLE_VALUED_KEYS:
            self._single_identities[identity_id] = identity
            self._single_values[identity_id] = {identity.key: identity.value}

    def release(self, identity_id: int) -> None:
        """An identity was unbound: its past stays with its person, who may have another value of its key now."""
        identity = self._single_identities.get(identity_id)
        if identity is None:
            return
        values = self._single_values[self.founder_of[identity_id]]
        if values.get(identity.key) == identity.value:
            del values[identity.key]

    def apply(self, link: Link) -> tuple[LinkOutcome, list[int]]:
        """Apply one link; returns what became of it and the identities whose founder changed."""
        left, right = self.founder_of[link.left], self.founder_of[link.right]
        if left == right:
            return "confirmed", []
        if self._conflict(left, right):
            return "refused", []
        survivor, loser = (left, right) if self._seniority(left) < self._seniority(right) else (right, left)
        both_existed = self.first_order[loser] < link.order
        return ("merged" if both_existed else "joined"), self._absorb(survivor, loser)

    def _seniority(self, founder: int) -> tuple[str, int]:
        return self.first_order[founder], founder

    def _conflict(self, left: int, right: int) -> bool:
        ours, theirs = self._single_values[left], self._single_values[right]
        return any(theirs.get(key, value) != value for key, value in ours.items())

    def _absorb(self, survivor: int, loser: int) -> list[int]:
        moved = self._members.pop(loser)
        for identity_id in moved:
            self.founder_of[identity_id] = survivor
        self._members[survivor].extend(moved)
        self._single_values[survivor] |= self._single_values.pop(loser)
        return moved
