"""The loops of One-ID, compiled: messages in canonical order in, persons out. No I/O, no clock, integers only.

The arrays are those of `warehouse.one_id.arrays`. All compiled functions stand in this one file, because numba looks
for changes only in the file of the function that it keeps on disk, not in those of what it calls.
"""

from typing import Any

import numba
import numpy as np

MERGED, JOINED, CONFIRMED, REFUSED, RETRACTED, BLOCKED = 0, 1, 2, 3, 4, 5
NO_REASON, SINGLE_VALUE, OVER_LIMIT, BOTH_KNOWN, NO_ASSOCIATION = 0, 1, 2, 3, 4
BY_MESSAGE, BY_SAME_VALUE = 0, 1
BY_UNBIND, BY_PARENT, BY_REPLACEMENT = 0, 1, 2

compiled: Any = numba.njit(cache=True)  # numba has no types
# What makes no array and no list needs no count of who uses them: counting took two thirds of the time of a fold.
uncounted: Any = numba.njit(cache=True, _nrt=False)  # type: ignore[call-overload]  # an option that its signature leaves out


@uncounted
def find(parent, identity):  # type: ignore[no-untyped-def]  # compiled
    """The founder of an identity's person."""
    while parent[identity] != identity:
        parent[identity] = parent[parent[identity]]
        identity = parent[identity]
    return identity


@compiled
def _rows(found, width):  # type: ignore[no-untyped-def]  # compiled
    """A list of tuples as rows of an array."""
    rows = np.empty((len(found), width), np.int64)
    for at in range(len(found)):
        for column in range(width):
            rows[at, column] = found[at][column]
    return rows


@uncounted
def _count_of(a, founder, key):  # type: ignore[no-untyped-def]  # compiled
    node = a.head[founder]
    while node != -1:
        if a.node_key[node] == key:
            return a.node_count[node]
        node = a.node_next[node]
    return 0


@uncounted
def _add_count(a, founder, key, change):  # type: ignore[no-untyped-def]  # compiled
    node = a.head[founder]
    while node != -1:
        if a.node_key[node] == key:
            a.node_count[node] += change
            return
        node = a.node_next[node]


@uncounted
def _new_identity(a, pair, key, arrived_us, place):  # type: ignore[no-untyped-def]  # compiled
    """A person of its own, with one live value; `pair` is -1 for a pair never seen."""
    identity, node = a.used[0], a.used[1]
    a.used[0] += 1
    a.used[1] += 1
    a.parent[identity] = identity
    a.ring[identity] = identity
    a.arrived_us[identity] = arrived_us
    a.place[identity] = place
    a.key[identity] = key
    a.is_live[identity] = True
    a.head[identity] = node
    a.node_key[node] = key
    a.node_count[node] = 1
    a.node_next[node] = -1
    a.latest[identity] = identity
    if pair == -1:
        a.incarnation[identity] = 0
    else:
        a.incarnation[identity] = a.incarnation[a.latest[pair]] + 1
        a.latest[pair] = identity
    return identity


@uncounted
def _is_before(a, one, other):  # type: ignore[no-untyped-def]  # compiled
    if a.arrived_us[one] != a.arrived_us[other]:
        return a.arrived_us[one] < a.arrived_us[other]
    return a.place[one] < a.place[other]


@compiled
def _release(a, identity, row, cause, released):  # type: ignore[no-untyped-def]  # compiled
    """An identity is free: its past stays with its person, and it counts no more."""
    a.is_live[identity] = False
    _add_count(a, find(a.parent, identity), a.key[identity], -1)
    released.append((identity, row, cause))


@compiled
def _unbind(a, identity, parent_key, row, released):  # type: ignore[no-untyped-def]  # compiled
    """Free an identity, and with it the values of its person whose key stands below its own."""
    if not a.is_live[identity]:
        return
    first = len(released)
    _release(a, identity, row, BY_UNBIND, released)
    at = first
    while at < len(released):
        above = released[at][0]
        member = a.ring[above]
        while member != above:
            if a.is_live[member] and parent_key[a.key[member]] == a.key[above]:
                _release(a, member, row, BY_PARENT, released)
            member = a.ring[member]
        at += 1


@uncounted
def _oldest_live(a, person, key):  # type: ignore[no-untyped-def]  # compiled
    oldest, member = -1, person
    while True:
        if a.is_live[member] and a.key[member] == key and (oldest == -1 or _is_before(a, member, oldest)):
            oldest = member
        member = a.ring[member]
        if member == person:
            return oldest


@uncounted
def _full_key(a, one, other, most, rank):  # type: ignore[no-untyped-def]  # compiled
    """The strongest key of which two persons together would have too many live values; -1 where none."""
    full, node = -1, a.head[one]
    while node != -1:
        key = a.node_key[node]
        is_stronger = full == -1 or rank[key] < rank[full]
        if is_stronger and a.node_count[node] > 0 and a.node_count[node] + _count_of(a, other, key) > most[key]:
            full = key
        node = a.node_next[node]
    return full


@compiled
def _replace_oldest(a, one, other, key, row, released):  # type: ignore[no-untyped-def]  # compiled
    """Make room where one of the two persons is only a new value of the key; whether that could be done."""
    if a.ring[one] == one and a.key[one] == key:
        owner = other
    elif a.ring[other] == other and a.key[other] == key:
        owner = one
    else:
        return False
    _release(a, _oldest_live(a, owner, key), row, BY_REPLACEMENT, released)
    return True


@uncounted
def _absorb(a, elder, younger):  # type: ignore[no-untyped-def]  # compiled
    """Join two persons: trees, circles and counts."""
    a.parent[younger] = elder
    after = a.ring[elder]
    a.ring[elder] = a.ring[younger]
    a.ring[younger] = after
    node = a.head[younger]
    while node != -1:
        following = a.node_next[node]
        own = a.head[elder]
        while own != -1 and a.node_key[own] != a.node_key[node]:
            own = a.node_next[own]
        if own != -1:
            a.node_count[own] += a.node_count[node]
        else:
            a.node_next[node] = a.head[elder]
            a.head[elder] = node
        node = following
    a.head[younger] = -1


@compiled
def _join(a, one, other, moment, rules, version, row, moves, released):  # type: ignore[no-untyped-def]  # compiled
    """Join the persons founded by `one` and `other`, if the rules allow it: outcome, reason, key."""
    elder, younger = (one, other) if _is_before(a, one, other) else (other, one)
    arrived_us, starts = moment
    is_known = a.arrived_us[younger] < arrived_us or (a.arrived_us[younger] == arrived_us and a.place[younger] < starts)
    if is_known and not rules.merges_known[version]:
        return REFUSED, BOTH_KNOWN, -1
    most = rules.most[version]
    key = _full_key(a, younger, elder, most, rules.rank[version])
    if key != -1 and rules.replaces_oldest[version, key] and _replace_oldest(a, younger, elder, key, row, released):
        key = _full_key(a, younger, elder, most, rules.rank[version])
    if key != -1:
        return REFUSED, SINGLE_VALUE if most[key] == 1 else OVER_LIMIT, key
    member = younger
    while True:
        moves.append((member, elder, row))
        member = a.ring[member]
        if member == younger:
            break
    _absorb(a, elder, younger)
    return (MERGED if is_known else JOINED), NO_REASON, -1


@uncounted
def _note(links, left, right, row, kind, outcome, reason, key):  # type: ignore[no-untyped-def]  # compiled
    """Write a link into the next free row; the last row counts those that are taken."""
    at = links[-1, 0]
    links[-1, 0] = at + 1
    links[at, 0], links[at, 1] = min(left, right), max(left, right)
    links[at, 2], links[at, 3], links[at, 4], links[at, 5], links[at, 6] = row, kind, outcome, reason, key


@uncounted
def _are_one(a, one, other):  # type: ignore[no-untyped-def]  # compiled
    return find(a.parent, one) == find(a.parent, other)


@compiled
def _try_link(a, one, other, void, kind, moment, rules, version, row, links, moves, released):  # type: ignore[no-untyped-def]  # compiled
    """Try a link between two persons, or one that acts make void, and note what became of it."""
    outcome, reason, key = void, NO_REASON, -1
    if void == 0:
        founder, other_founder = find(a.parent, one), find(a.parent, other)
        outcome, reason, key = _join(a, founder, other_founder, moment, rules, version, row, moves, released)
    _note(links, one, other, row, kind, outcome, reason, key)


@uncounted
def _see(a, pairs, pair, moment, nth):  # type: ignore[no-untyped-def]  # compiled
    """The live identity of a pair, made anew where there is none; and whether it was."""
    pair_id = pairs.pair_id[pair]
    if pair_id != -1 and a.is_live[a.latest[pair_id]]:
        return a.latest[pair_id], False
    arrived_us, starts = moment
    identity = _new_identity(a, pair_id, pairs.key[pair], arrived_us, starts | nth << 32 | pairs.digest[pair])
    if pair_id == -1:
        pairs.pair_id[pair] = identity
    return identity, True


@uncounted
def _live_twin(a, pairs, pair):  # type: ignore[no-untyped-def]  # compiled
    """The live identity with the same value under the counterpart key, or -1."""
    if pairs.twin[pair] == -1 or pairs.pair_id[pairs.twin[pair]] == -1:
        return -1
    twin = a.latest[pairs.pair_id[pairs.twin[pair]]]
    return twin if a.is_live[twin] else -1


@compiled
def fold(a, rules, messages, pairs):  # type: ignore[no-untyped-def]  # compiled
    """Fold messages into the state, which has room for an identity and a node per sighting.

    Returns, as rows of integers: the identity of each sighting; new identities (identity, pair of the batch,
    sighting); links (lower id, higher id, message, kind, outcome, reason, key); moves (identity, founder, message);
    released identities (identity, message, cause).
    """
    found = np.empty(len(messages.pair), np.int64)
    # A sighting makes two links at most; pages that are never written to take no memory.
    links = np.empty((2 * len(messages.pair) + 1, 7), np.int64)
    links[-1, 0] = 0
    # Each list starts with an entry that tells its type and is taken out again.
    new, moves, released = [(0, 0, 0)], [(0, 0, 0)], [(0, 0, 0)]
    new.pop(), moves.pop(), released.pop()
    begins, pair_of, void_of = messages.begins, messages.pair, messages.void
    for row in range(len(begins) - 1):
        begin, end = begins[row], begins[row + 1]
        moment = (messages.arrived_us[row], messages.message_index[row] << 44)
        version = messages.rules[row]
        for at in range(begin, end):
            pair = pair_of[at]
            identity, is_new = _see(a, pairs, pair, moment, at - begin)
            found[at] = identity
            if is_new:
                new.append((identity, pair, at))
                twin = _live_twin(a, pairs, pair)
                if twin != -1:
                    void = pairs.twin_void[pair]
                    _try_link(
                        a, identity, twin, void, BY_SAME_VALUE, moment, rules, version, row, links, moves, released
                    )
        if messages.may_link[row] and not messages.is_unbind[row]:
            for at in range(begin + 1, end):
                one, other, void = found[begin], found[at], void_of[at]
                if void == 0 and _are_one(a, one, other):
                    _note(links, one, other, row, BY_MESSAGE, CONFIRMED, NO_REASON, -1)
                else:
                    _try_link(a, one, other, void, BY_MESSAGE, moment, rules, version, row, links, moves, released)
        else:  # noted all the same: whoever looks for what may hang together has to find these identities, too
            for at in range(begin + 1, end):
                _note(links, found[begin], found[at], row, BY_MESSAGE, REFUSED, NO_ASSOCIATION, -1)
        if messages.is_unbind[row]:
            for at in range(begin, end):
                _unbind(a, found[at], rules.parent_key[version], row, released)
    return found, _rows(new, 3), links[: links[-1, 0]].copy(), _rows(moves, 3), _rows(released, 3)
