"""The identity graph: persons as a function of the messages folded so far.

Pure: no I/O, no clock. An identity is a dense number here; a person is the set of identities that links have joined,
and is named after its founder, the identity that was seen first. The state is a set of arrays (`arrays.Arrays`) that
the stored identities alone can bring back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.identity.rules import DEFAULT_RULES, IdentityRules
from warehouse.one_id.arrays import (
    MessageArrays,
    PairArrays,
    RuleArrays,
    StoredIdentities,
    empty_arrays,
    with_persons,
    with_room,
)

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

    def rule_arrays(self, versions: Sequence[IdentityRules]) -> RuleArrays:
        """What versions of the rules say of the keys that have a number."""
        for rules in versions:  # a parent may never have been seen
            for key in rules.known_keys():
                self.number(key)
        keys = [[rules.key(name) for name in self._numbers] for rules in versions]
        parents = [[-1 if rule.parent is None else self._numbers[rule.parent] for rule in each] for each in keys]
        return RuleArrays(
            most=np.array([[rule.most for rule in each] for each in keys], np.int32),
            rank=np.array([self._ranks(rules) for rules in versions], np.int32),
            replaces_oldest=np.array([[rule.over_limit == "replace_oldest" for rule in each] for each in keys]),
            parent_key=np.array(parents, np.int16),
            merges_known=np.array([rules.merges_known_persons for rules in versions]),
        )


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
        self._arrays = empty_arrays(_ROOM)

    @classmethod
    def restored(cls, identities: StoredIdentities, key_names: Iterable[str]) -> "IdentityGraph":
        """The graph that stored identities describe; `key_names` by number."""
        graph = cls()
        graph.replace(np.zeros(0, np.int64), identities, key_names)
        return graph

    def replace(self, old: Ints, identities: StoredIdentities, key_names: Iterable[str]) -> None:
        """Put identities in the place of others, `old`; `key_names` by number."""
        numbers = np.array([self.keys.number(name) for name in key_names], np.int64)
        self._arrays = with_persons(self._arrays, old, replace(identities, key=numbers[identities.key]))

    def renumbered(self, identity_id: Ints, pair_id: Ints) -> StoredIdentities:
        """All identities under other numbers: by number here, its own and that of its pair there."""
        every, arrays = np.arange(self.identity_count), self._arrays
        return StoredIdentities(
            identity_id=identity_id,
            pair_id=pair_id,
            incarnation=self.incarnations(every),
            key=arrays.key[every].astype(np.int64),
            founder_id=identity_id[self.founders(every)],
            arrived_us=arrays.arrived_us[every],
            place=arrays.place[every],
            is_live=arrays.is_live[every],
        )

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
        self._arrays = with_room(self._arrays, len(messages.pair))
        rules = self.keys.rule_arrays(versions)
        pair_arrays = PairArrays(
            pairs.pair_id.astype(np.int32),
            pairs.key.astype(np.int16),
            pairs.digest.astype(np.int64),
            pairs.twin.astype(np.int32),
            pairs.twin_void.astype(np.int8),
        )
        message_arrays = MessageArrays(
            messages.begins.astype(np.int64),
            messages.arrived_us.astype(np.int64),
            messages.index.astype(np.int64),
            messages.rules.astype(np.int16),
            messages.is_unbind,
            messages.may_link,
            messages.pair.astype(np.int32),
            messages.void.astype(np.int8),
        )
        found, new, links, moves, released = _kernel().fold(self._arrays, rules, message_arrays, pair_arrays)
        return Folded(found, pair_arrays.pair_id.astype(np.int64), new, links, moves, released)

    def founders(self, identity_ids: Ints) -> Ints:
        """The founder of each identity's person."""
        parent = self._arrays.parent
        founder = parent[identity_ids]
        while (parent[founder] != founder).any():
            founder = parent[founder]
        return founder.astype(np.int64)

    def key_names(self, identity_ids: Ints) -> list[str]:
        """The key of each identity."""
        names = self.keys.names()
        return [names[number] for number in self._arrays.key[identity_ids].tolist()]

    def incarnations(self, identity_ids: Ints) -> Ints:
        """How many incarnations of its pair came before each identity."""
        return self._arrays.incarnation[identity_ids].astype(np.int64)

    def persons(self) -> Mapping[int, int]:
        """The founder of every identity: for tests and small graphs."""
        every = np.arange(self.identity_count)
        return dict(zip(every.tolist(), self.founders(every).tolist(), strict=True))
