"""A slow, obvious evaluator of identities: who is one person after a history of messages.

Persons are sets of incarnations, values are counted anew for every link, and nothing is shared with the graph it judges
but the rules a project may set.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from ingest.identity.rules import DEFAULT_RULES, IdentityRules
from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity

TWINS = {LOGIN_ID: ANONYMOUS_ID, ANONYMOUS_ID: LOGIN_ID}
Pair = tuple[str, str]


class Incarnation(NamedTuple):
    """A pair (key, value), the n-th time it came anew after being unbound."""

    key: str
    value: str
    number: int = 0


@dataclass(frozen=True)
class Said:
    """The pairs a message carries, in the sender's order; an unbinding one frees them."""

    pairs: tuple[Pair, ...]
    is_unbind: bool = False
    record_type: str = "track"
    arrived_us: int = 0
    index: int = 0


class Tried(NamedTuple):
    """A link that a message tried."""

    message: int
    pair: frozenset[Incarnation]
    outcome: str
    because: str | None = None


@dataclass
class World:
    """Persons so far, each a list of incarnations, and what was tried and freed on the way."""

    salt: bytes
    rules: IdentityRules = DEFAULT_RULES
    retracted: Collection[frozenset[Pair]] = ()
    blocked: Collection[Pair] = ()
    persons: list[set[Incarnation]] = field(default_factory=list)
    seen: dict[Incarnation, tuple[int, int, int, int]] = field(default_factory=dict)
    live: dict[Pair, Incarnation] = field(default_factory=dict)
    tried: list[Tried] = field(default_factory=list)
    owners: list[Incarnation | None] = field(default_factory=list)

    def person_of(self, one: Incarnation) -> set[Incarnation]:
        return next(person for person in self.persons if one in person)

    def founder_of(self, one: Incarnation) -> Incarnation:
        return min(self.person_of(one), key=self.seen.__getitem__)

    def founders(self) -> dict[Incarnation, Incarnation]:
        """The founder of each incarnation's person."""
        return {one: self.founder_of(one) for one in self.seen}

    def say(self, said: Said) -> None:
        """One message more."""
        at = len(self.owners)
        carried: list[Incarnation] = []
        for place, pair in enumerate(self._that_count(said)):
            if pair not in self.live:
                self._begin(pair, (said.arrived_us, said.index, place, self._digest(pair)))
                twin = self.live.get((TWINS.get(pair[0], ""), pair[1]))
                if twin is not None:
                    self._try(at, said, self.live[pair], twin)
            carried.append(self.live[pair])
        self.owners.append(carried[0] if carried else None)
        for other in carried[1:]:
            if said.is_unbind or not self.rules.may_link(said.record_type):
                self.tried.append(Tried(at, frozenset({carried[0], other}), "refused", "no_association"))
            else:
                self._try(at, said, carried[0], other)
        if said.is_unbind:
            for one in carried:
                self._unbind(one)

    def _that_count(self, said: Said) -> list[Pair]:
        def silent(pair: Pair) -> bool:
            return self.rules.key(pair[0]).status == "disabled" or self.rules.guard.is_nobody(Identity(*pair))

        ordered = sorted(said.pairs, key=lambda pair: (silent(pair), self.rules.key(pair[0]).priority))
        return ordered[:1] + [pair for pair in ordered[1:] if not silent(pair)]

    def _digest(self, pair: Pair) -> int:
        name = f"{pair[0]}\0{pair[1]}\0{0}".encode()
        return int.from_bytes(blake2b(name, digest_size=16, key=self.salt).digest()[:4], "big")

    def _begin(self, pair: Pair, moment: tuple[int, int, int, int]) -> None:
        number = sum(one[:2] == pair for one in self.seen)
        self.live[pair] = Incarnation(*pair, number)
        self.seen[self.live[pair]] = moment
        self.persons.append({self.live[pair]})

    def _values(self, key: str, *persons: set[Incarnation]) -> list[Incarnation]:
        """Live incarnations of a key in these persons, oldest first."""
        found = [one for person in persons for one in person if one.key == key and self.live.get(one[:2]) == one]
        return sorted(found, key=self.seen.__getitem__)

    def _try(self, at: int, said: Said, one: Incarnation, other: Incarnation) -> None:
        outcome, because = self._link(said, one, other)
        self.tried.append(Tried(at, frozenset({one, other}), outcome, because))

    def _link(self, said: Said, one: Incarnation, other: Incarnation) -> tuple[str, str | None]:
        if one[:2] in self.blocked or other[:2] in self.blocked:
            return "blocked", None
        if frozenset({one[:2], other[:2]}) in self.retracted:
            return "retracted", None
        ours, theirs = self.person_of(one), self.person_of(other)
        if ours is theirs:
            return "confirmed", None
        younger = max(self.founder_of(one), self.founder_of(other), key=self.seen.__getitem__)
        were_known = self.seen[younger][:2] < (said.arrived_us, said.index)
        if were_known and not self.rules.merges_known_persons:
            return "refused", "both_known"
        if not self._make_room(ours, theirs):
            keys = {key for key in self._shared_keys(ours, theirs) if self._excess(key, ours, theirs) > 0}
            return "refused", "single_value" if all(self.rules.key(key).most == 1 for key in keys) else "over_limit"
        self.persons.remove(theirs)
        ours |= theirs
        return ("merged" if were_known else "joined"), None

    def _shared_keys(self, ours: set[Incarnation], theirs: set[Incarnation]) -> list[str]:
        return sorted({one.key for one in ours if self._values(one.key, ours) and self._values(one.key, theirs)})

    def _excess(self, key: str, *persons: set[Incarnation]) -> int:
        return len(self._values(key, *persons)) - self.rules.key(key).most

    def _make_room(self, ours: set[Incarnation], theirs: set[Incarnation]) -> bool:
        full = [key for key in self._shared_keys(ours, theirs) if self._excess(key, ours, theirs) > 0]
        if len(full) == 1 and self.rules.key(full[0]).over_limit == "replace_oldest":
            for newcomer, owner in ((ours, theirs), (theirs, ours)):
                if len(newcomer) == 1 and next(iter(newcomer)).key == full[0]:
                    del self.live[self._values(full[0], owner)[0][:2]]
                    return self._excess(full[0], ours, theirs) <= 0
        return not full

    def _unbind(self, one: Incarnation) -> None:
        if self.live.get(one[:2]) != one:
            return
        del self.live[one[:2]]
        for child in sorted(self.person_of(one), key=self.seen.__getitem__):
            if self.rules.key(child.key).parent == one.key:
                self._unbind(child)


def world_after(
    messages: Sequence[Said],
    salt: bytes,
    rules: IdentityRules = DEFAULT_RULES,
    retracted: Collection[frozenset[Pair]] = (),
    blocked: Collection[Pair] = (),
) -> World:
    """Who is one person after these messages, in this order."""
    world = World(salt, rules, retracted, blocked)
    for said in messages:
        world.say(said)
    return world
