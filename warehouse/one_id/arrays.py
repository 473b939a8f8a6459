"""The state of the identity graph: made, grown, and written from stored identities. Arrays only: no I/O, no loops.

A person is a tree in `parent` whose root is the identity that founded it; `ring` links the identities of a person in a
circle; per person, a list of nodes counts the live values of each key.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_Ints = npt.NDArray[np.int64]


class Arrays(NamedTuple):
    """The state. By identity: parent, ring, arrived_us, place, key, is_live, incarnation, head. By pair (the identity
    id of its first incarnation): latest, its last incarnation. By node: node_key, node_count, node_next.
    `used` counts identities and nodes.
    """

    parent: npt.NDArray[np.int32]
    ring: npt.NDArray[np.int32]
    arrived_us: _Ints
    place: _Ints
    key: npt.NDArray[np.int16]
    is_live: npt.NDArray[np.bool_]
    incarnation: npt.NDArray[np.int32]
    latest: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]
    node_key: npt.NDArray[np.int16]
    node_count: npt.NDArray[np.int32]
    node_next: npt.NDArray[np.int32]
    used: _Ints


class RuleArrays(NamedTuple):
    """What the rules say, by version of the rules and number of the key."""

    most: npt.NDArray[np.int32]
    rank: npt.NDArray[np.int32]  # from the strongest key on: numbers of keys depend on the order in which they came
    replaces_oldest: npt.NDArray[np.bool_]
    parent_key: npt.NDArray[np.int16]
    merges_known: npt.NDArray[np.bool_]  # by version only


class MessageArrays(NamedTuple):
    """Messages in canonical order. By message: `begins` (where its sightings begin, one entry more than messages),
    arrived_us, message_index, rules (version), is_unbind, may_link. By sighting, the owner first: pair (its place in
    the pairs of this batch) and void (0, or the outcome that acts give the link between the owner and it).
    """

    begins: _Ints
    arrived_us: _Ints
    message_index: _Ints
    rules: npt.NDArray[np.int16]
    is_unbind: npt.NDArray[np.bool_]
    may_link: npt.NDArray[np.bool_]
    pair: npt.NDArray[np.int32]
    void: npt.NDArray[np.int8]


class PairArrays(NamedTuple):
    """The pairs of a batch: pair_id (-1 until it is first seen; written here), key, digest (32 bits of its name), twin
    (the pair of this batch that has the same value under the counterpart key, or -1) and twin_void.
    """

    pair_id: npt.NDArray[np.int32]
    key: npt.NDArray[np.int16]
    digest: _Ints
    twin: npt.NDArray[np.int32]
    twin_void: npt.NDArray[np.int8]


@dataclass(frozen=True)
class StoredIdentities:
    """Identities as columns, in any order: whole persons, and all incarnations of their pairs."""

    identity_id: _Ints
    pair_id: _Ints
    incarnation: _Ints
    key: _Ints
    founder_id: _Ints
    arrived_us: _Ints
    place: _Ints
    is_live: npt.NDArray[np.bool_]


def empty_arrays(room: int) -> Arrays:
    """No identities, and room for some."""
    return Arrays(
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


def with_room(arrays: Arrays, more: int) -> Arrays:
    """The same arrays, with room for `more` identities and nodes."""
    room, needed = len(arrays.parent), int(arrays.used.max()) + more
    if needed <= room:
        return arrays
    larger = empty_arrays(max(needed, room + room // 2))
    for name in arrays._fields:
        if name != "used":
            getattr(larger, name)[:room] = getattr(arrays, name)
    larger.used[:] = arrays.used
    return larger


def with_persons(arrays: Arrays, old: _Ints, stored: StoredIdentities) -> Arrays:
    """The arrays after identities took the place of others, `old`; the same ones if they fit."""
    ids = stored.identity_id
    # Also the numbers of those that are no more: none is given twice.
    count = max(int(arrays.used[0]), int(ids.max(initial=-1)) + 1, int(old.max(initial=-1)) + 1)
    arrays = with_room(arrays, max(count, int(arrays.used[1]) + len(ids)) - int(arrays.used.max()))
    arrays.used[0] = count
    free = _free_nodes(arrays, old)
    arrays.is_live[old] = False
    arrays.parent[ids] = stored.founder_id
    arrays.arrived_us[ids], arrays.place[ids] = stored.arrived_us, stored.place
    arrays.key[ids], arrays.is_live[ids] = stored.key, stored.is_live
    arrays.incarnation[ids] = stored.incarnation
    by_incarnation = np.argsort(stored.incarnation, kind="stable")
    arrays.latest[stored.pair_id[by_incarnation]] = ids[by_incarnation]  # the last one stays
    _write_rings(arrays, stored)
    _write_nodes(arrays, stored, free)
    return arrays


def _free_nodes(arrays: Arrays, old: _Ints) -> _Ints:
    """Take the nodes of these identities' persons from them."""
    found, nodes = [np.zeros(0, np.int64)], arrays.head[old]
    while len(nodes := nodes[nodes != -1]):
        found.append(nodes.astype(np.int64))
        nodes = arrays.node_next[nodes]
    arrays.head[old] = -1
    return np.concatenate(found)


def _write_rings(arrays: Arrays, stored: StoredIdentities) -> None:
    by_person = np.argsort(stored.founder_id, kind="stable")
    members, founders = stored.identity_id[by_person], stored.founder_id[by_person]
    if len(members):
        begins = np.flatnonzero(np.r_[True, founders[1:] != founders[:-1]])
        following = np.r_[members[1:], members[:1]]
        following[np.r_[begins[1:], len(members)] - 1] = members[begins]
        arrays.ring[members] = following


def _write_nodes(arrays: Arrays, stored: StoredIdentities, free: _Ints) -> None:
    """Count the live values of each key of each person, in nodes that are free first."""
    live = stored.is_live
    found, counts = np.unique(stored.founder_id[live] << 16 | stored.key[live], return_counts=True)
    more = max(len(found) - len(free), 0)
    nodes = np.r_[free[: len(found)], arrays.used[1] + np.arange(more)]
    arrays.used[1] += more
    founders = found >> 16
    is_first = np.r_[True, founders[1:] != founders[:-1]] if len(found) else np.zeros(0, np.bool_)
    arrays.node_key[nodes], arrays.node_count[nodes] = found & 0xFFFF, counts
    arrays.node_next[nodes] = np.where(np.r_[is_first[1:], True][: len(found)], -1, np.r_[nodes[1:], -1][: len(found)])
    arrays.head[founders[is_first]] = nodes[is_first]
