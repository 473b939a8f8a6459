"""A slow, obvious evaluator of identities: who is one person after a history of messages.

It keeps nothing between questions: persons are sets, made anew from the whole history, and it shares no code with the
graph it judges but the list of keys.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from ingest.message import ANONYMOUS_ID, LOGIN_ID

SINGLE_VALUED = ("$identity_login_id", "$identity_mobile", "$identity_email")
PRIORITY = (LOGIN_ID, "$identity_mobile", "$identity_email", "$identity_mp_unionid", ANONYMOUS_ID)
SAME_VALUE = {LOGIN_ID: ANONYMOUS_ID, ANONYMOUS_ID: LOGIN_ID}

Pair = tuple[str, str]


class Incarnation(NamedTuple):
    """A pair (key, value), the n-th time it came anew after being unbound."""

    key: str
    value: str
    number: int = 0


class Fact(NamedTuple):
    """What a message says: an identity is `seen` or `unbound`, or two are `linked`. `message` counts messages."""

    kind: Literal["seen", "linked", "unbound", "retracted"]
    message: int
    one: Incarnation
    other: Incarnation | None = None


@dataclass(frozen=True)
class Said:
    """The pairs a message carries; an unbinding one frees them."""

    pairs: tuple[Pair, ...]
    is_unbind: bool = False


@dataclass(frozen=True)
class Persons:
    """The founder of each incarnation's person, and what became of each link."""

    founder_of: dict[Incarnation, Incarnation]
    outcomes: dict[frozenset[Incarnation], str]


def facts_of(messages: Sequence[Said], retracted: Collection[frozenset[Pair]] = ()) -> list[Fact]:
    """The facts in messages, in order; a pair of identities is linked by its first message only."""
    facts, live, numbers = list[Fact](), dict[Pair, Incarnation](), dict[Pair, int]()
    for at, said in enumerate(messages):
        carried, links = list[Incarnation](), list[tuple[Incarnation, Incarnation]]()
        for pair in sorted(said.pairs, key=lambda pair: PRIORITY.index(pair[0])):
            if pair not in live:
                numbers[pair] = numbers.get(pair, -1) + 1
                live[pair] = Incarnation(*pair, numbers[pair])
                facts.append(Fact("seen", at, live[pair]))
                twin = (SAME_VALUE.get(pair[0], ""), pair[1])
                if twin in live:
                    links.append((live[pair], live[twin]))
            carried.append(live[pair])
        if not said.is_unbind:
            seen = [fact.one for fact in facts if fact.kind == "seen"]
            explicit = [(carried[0], other) for other in carried[1:]]
            links += sorted(explicit, key=lambda link: sorted((seen.index(link[0]), seen.index(link[1]))))
        for one, other in links:
            if all({fact.one, fact.other} != {one, other} for fact in facts):
                is_retracted = frozenset({one[:2], other[:2]}) in retracted
                facts.append(Fact("retracted" if is_retracted else "linked", at, one, other))
        if said.is_unbind:
            facts += [Fact("unbound", at, live.pop((each.key, each.value))) for each in carried]
    return facts


def persons_after(facts: Iterable[Fact]) -> Persons:
    """Who is one person after these facts."""
    so_far, persons, outcomes = list[Fact](), list[set[Incarnation]](), dict[frozenset[Incarnation], str]()
    for fact in facts:
        so_far.append(fact)
        if fact.kind == "seen":
            persons.append({fact.one})
        elif fact.other is not None:
            outcomes[frozenset({fact.one, fact.other})] = _link(fact, so_far, persons)
    seen = [fact.one for fact in so_far if fact.kind == "seen"]
    founder_of = {each: min(person, key=seen.index) for person in persons for each in person}
    return Persons(founder_of, outcomes)


def _link(fact: Fact, so_far: list[Fact], persons: list[set[Incarnation]]) -> str:
    ours, theirs = (next(p for p in persons if each in p) for each in (fact.one, fact.other))
    if fact.kind == "retracted":
        return "retracted"
    if ours is theirs:
        return "confirmed"
    unbound = {each.one for each in so_far if each.kind == "unbound"}
    held = sorted((each.key, each.value) for each in ours | theirs if each not in unbound and each.key in SINGLE_VALUED)
    if any(left[0] == right[0] and left[1] != right[1] for left, right in pairwise(held)):
        return "refused"
    persons.remove(theirs)
    ours |= theirs
    first_seen = {each.one: each.message for each in so_far if each.kind == "seen"}
    began = [min(first_seen[each] for each in side) for side in (ours - theirs, theirs)]
    return "merged" if max(began) < fact.message else "joined"
