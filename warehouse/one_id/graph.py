"""The identity graph: persons as a function of the messages folded so far.

Pure: no I/O, no clock. An identity is a dense number here; a person is the set of identities that links have joined,
and is named after its founder, the identity that was seen first. The state is a set of arrays (`kernel.Arrays`) that
the stored identities alone can bring back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.identity.rules import DEFAULT_RULES, IdentityRules

if TYPE_CHECKING:
    from warehouse.one_id.kernel import Arrays, MessageArrays, PairArrays, RuleArrays

Ints = npt.NDArray[np.int64]

LinkOutcome = Literal["merged", "joined", "confirmed", "refused", "retracted", "blocked"]
RefusedBecause = Literal["single_value", "over_limit", "both_known", "no_association"]
LINK_OUTCOMES: tuple[LinkOutcome, ...] = ("merged", "joined", "confirmed", "refused", "retracted", "blocked")
REFUSALS: tuple[RefusedBecause | None, ...] = (None, "single_value", "over_limit", "both_known", "no_association")
LINK_KINDS = ("message", "same_value")
RELEASES = ("unbound", "parent_unbound", "replaced")
RETRACTED, BLOCKED = LINK_OUTCOMES.index("retracted"), LINK_OUTCOMES.index("blocked")

_ROOM = 1024


@cache
def _kernel() -> ModuleType:
    # Imported late: compiling needs LLVM, whose import whoever only asks a question need not wait for.
    from warehouse.one_id import kernel

    return kernel


def compile_kernel() -> None:
    """Have the kernel compiled: some 15 s the first time ever, about two from the copy on disk after it."""
    none, never = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    messages = Messages(np.zeros(1, np.int64), none, none, none, never, never, none, none)
    IdentityGraph().fold([DEFAULT_RULES], messages, Pairs(none, none, none, none, none))


class Keys:
    """Numbers for the names of identity keys, in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, key: str) -> int:
        """The number of a key, a new one where it has none."""
        return self._numbers.setdefault(key, len(self._numbers))

    def names(self) -> list[str]:
        """The keys by number."""
        return list(self._numbers)

    def _ranks(self, rules: IdentityRules) -> list[int]:
        ordered = sorted(self._numbers, key=lambda name: (rules.key(name).priority, name))
        rank_of = {name: rank for rank, name in enumerate(ordered)}
        return [rank_of[name] for name in self._numbers]

    def rule_arrays(self, versions: Sequence[IdentityRules]) -> "RuleArrays":
        """What versions of the rules say of the keys that have a number."""
        for rules in versions:  # a parent may never have been seen
            for key in rules.known_keys():
                self.number(key)
        keys = [[rules.key(name) for name in self._numbers] for rules in versions]
        parents = [[-1 if rule.parent is None else self._numbers[rule.parent] for rule in each] for each in keys]
        arrays: RuleArrays = _kernel().RuleArrays(
            most=np.array([[rule.most for rule in each] for each in keys], np.int32),
            rank=np.array([self._ranks(rules) for rules in versions], np.int32),
            replaces_oldest=np.array([[rule.over_limit == "replace_oldest" for rule in each] for each in keys]),
            parent_key=np.array(parents, np.int16),
            merges_known=np.array([rules.merges_known_persons for rules in versions]),
        )
        return arrays


@dataclass(frozen=True)
class Pairs:
    """The pairs of a batch, by place: the id of a pair's first incarnation (-1: never seen), its key's number, 32 bits
    of its name's hash, the place of its twin (-1: none), and the outcome that acts give a link with the twin (0: none).
    """

    pair_id: Ints
    key: Ints
    digest: Ints
    twin: Ints
    twin_void: Ints


@dataclass(frozen=True)
class Messages:
    """Messages in canonical order, and their sightings, of each message the identity it belongs to first.

    By message: `begins` (one more than messages), `arrived_us`, `index`, `rules` (the version in force), `is_unbind`,
    `may_link`. By sighting: `pair` (place in `Pairs`), `void` (the outcome that acts give its link, 0: none).
    """

    begins: Ints
    arrived_us: Ints
    index: Ints
    rules: Ints
    is_unbind: npt.NDArray[np.bool_]
    may_link: npt.NDArray[np.bool_]
    pair: Ints
    void: Ints


class Folded(NamedTuple):
    """What a run of messages came to; rows of integers, in order.

    `identity_id` by sighting, `pair_id` by place in `Pairs`. `new`: identity, place of its pair, sighting. `links`:
    lower identity, higher, message, kind, outcome, refused because, key. `moves`: identity, its founder from here on,
    message. `released`: identity, message, cause.
    """

    identity_id: Ints
    pair_id: Ints
    new: Ints
    links: Ints
    moves: Ints
    released: Ints


class IdentityGraph:
    """Persons as arrays. Whoever folds must do so in canonical order."""

    def __init__(self) -> None:
        self.keys = Keys()
        self._arrays = _empty_arrays(_ROOM)

    @classmethod
    def restored(cls, identities: "StoredIdentities", key_names: Iterable[str]) -> "IdentityGraph":
        """The graph that stored identities describe; `key_names` by number."""
        graph = cls()
        for name in key_names:
            graph.keys.number(name)
        graph._arrays = _restore_arrays(identities)
        return graph

    @property
    def identity_count(self) -> int:
        """Numbers given to identities so far; the next one is this."""
        return int(self._arrays.used[0])

    @property
    def byte_count(self) -> int:
        """Bytes of memory that the graph takes."""
        return sum(array.nbytes for array in self._arrays)

    def fold(self, versions: Sequence[IdentityRules], messages: Messages, pairs: Pairs) -> Folded:
        """Fold messages into the graph."""
        kernel = _kernel()
        self._arrays = _with_room(self._arrays, len(messages.pair))
        rules = self.keys.rule_arrays(versions)
        pair_arrays: PairArrays = kernel.PairArrays(
            pairs.pair_id.astype(np.int32),
            pairs.key.astype(np.int16),
            pairs.digest.astype(np.int64),
            pairs.twin.astype(np.int32),
            pairs.twin_void.astype(np.int8),
        )
        message_arrays: MessageArrays = kernel.MessageArrays(
            messages.begins.astype(np.int64),
            messages.arrived_us.astype(np.int64),
            messages.index.astype(np.int64),
            messages.rules.astype(np.int16),
            messages.is_unbind,
            messages.may_link,
            messages.pair.astype(np.int32),
            messages.void.astype(np.int8),
        )
        found, new, links, moves, released = kernel.fold(self._arrays, rules, message_arrays, pair_arrays)
        return Folded(found, pair_arrays.pair_id.astype(np.int64), new, links, moves, released)

    def founders(self, identity_ids: Ints) -> Ints:
        """The founder of each identity's person."""
        parent = self._arrays.parent
        founder = parent[identity_ids]
        while (parent[founder] != founder).any():
            founder = parent[founder]
        return founder.astype(np.int64)

    def incarnations(self, identity_ids: Ints) -> Ints:
        """How many incarnations of its pair came before each identity."""
        return self._arrays.incarnation[identity_ids].astype(np.int64)

    def persons(self) -> Mapping[int, int]:
        """The founder of every identity: for tests and small graphs."""
        every = np.arange(self.identity_count)
        return dict(zip(every.tolist(), self.founders(every).tolist(), strict=True))


@dataclass(frozen=True)
class StoredIdentities:
    """Identities as columns, by growing identity id, which may leave numbers out."""

    identity_id: Ints
    pair_id: Ints
    incarnation: Ints
    key: Ints
    founder_id: Ints
    arrived_us: Ints
    place: Ints
    is_live: npt.NDArray[np.bool_]


def place_of(index: int, nth: int, digest: int) -> int:
    """What tells identities apart that arrived in one microsecond: message index, place in the message, pair's hash."""
    return index << 44 | nth << 32 | digest


def _empty_arrays(room: int) -> "Arrays":
    arrays: Arrays = _kernel().Arrays(
        parent=np.zeros(room, np.int32),
        ring=np.zeros(room, np.int32),
        arrived_us=np.zeros(room, np.int64),
        place=np.zeros(room, np.int64),
        key=np.zeros(room, np.int16),
        is_live=np.zeros(room, np.bool_),
        incarnation=np.zeros(room, np.int32),
        latest=np.zeros(room, np.int32),
        head=np.full(room, -1, np.int32),
        node_key=np.zeros(room, np.int16),
        node_count=np.zeros(room, np.int32),
        node_next=np.full(room, -1, np.int32),
        used=np.zeros(2, np.int64),
    )
    return arrays


def _with_room(arrays: "Arrays", more: int) -> "Arrays":
    """The same arrays, with room for `more` identities and nodes."""
    room, needed = len(arrays.parent), int(arrays.used.max()) + more
    if needed <= room:
        return arrays
    larger = _empty_arrays(max(needed, room + room // 2))
    for name in arrays._fields:
        if name != "used":
            getattr(larger, name)[:room] = getattr(arrays, name)
    larger.used[:] = arrays.used
    return larger


def _restore_arrays(stored: StoredIdentities) -> "Arrays":
    ids = stored.identity_id
    arrays = _empty_arrays(int(ids[-1]) + 1 + _ROOM if len(ids) else _ROOM)
    arrays.used[0] = ids[-1] + 1 if len(ids) else 0
    arrays.parent[ids] = stored.founder_id
    arrays.arrived_us[ids], arrays.place[ids] = stored.arrived_us, stored.place
    arrays.key[ids], arrays.is_live[ids] = stored.key, stored.is_live
    arrays.incarnation[ids] = stored.incarnation
    by_incarnation = np.argsort(stored.incarnation, kind="stable")
    arrays.latest[stored.pair_id[by_incarnation]] = ids[by_incarnation]  # the last one stays
    by_person = np.argsort(stored.founder_id, kind="stable")
    members, founders = ids[by_person], stored.founder_id[by_person]
    if len(members):
        begins = np.flatnonzero(np.r_[True, founders[1:] != founders[:-1]])
        following = np.r_[members[1:], members[:1]]
        following[np.r_[begins[1:], len(members)] - 1] = members[begins]
        arrays.ring[members] = following
    _restore_nodes(arrays, stored)
    return arrays


def _restore_nodes(arrays: "Arrays", stored: StoredIdentities) -> None:
    """Count the live values of each key of each person."""
    live = stored.is_live
    person_key = stored.founder_id[live] << 16 | stored.key[live]
    found, counts = np.unique(person_key, return_counts=True)
    founders, count = found >> 16, len(found)
    arrays.node_key[:count], arrays.node_count[:count] = found & 0xFFFF, counts
    is_last = np.r_[founders[1:] != founders[:-1], True] if count else np.zeros(0, np.bool_)
    arrays.node_next[:count] = np.where(is_last, -1, np.arange(1, count + 1))
    first = np.flatnonzero(np.r_[True, is_last[:-1]]) if count else np.zeros(0, np.int64)
    arrays.head[founders[first]] = first
    arrays.used[1] = count
