"""How the calls reach the collector: in what order, sent twice or not, and what that must come to.

The story's own bookkeeping: it knows who acted and only has to follow when each identity first appears.
"""

import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from api.demo.calls import ANONYMOUS, CHAPTERS, CLIENTS, LOGIN, Call, ClientName, Identity

RESENT_PER_SHIPMENT = 9
_RESENDABLE = frozenset(("track", "track_by_id", "page"))


@dataclass(frozen=True, slots=True)
class Shipment:
    """Calls of one client which are all acknowledged before the next shipment begins.

    So the order of arrival is the order of the shipments, whatever the clients do in between.
    """

    chapter: int
    client: ClientName
    calls: tuple[Call, ...]


def ship(calls: list[Call], rng: random.Random, scale: float) -> tuple[Shipment, ...]:
    """All calls by week of arrival and client, each week followed by what was sent a second time."""
    shipments: list[Shipment] = []
    by_place = sorted(_with_accounts(calls), key=lambda call: (call.chapter, call.client, call.event_at))
    places = {place: tuple(found) for place, found in groupby(by_place, key=lambda call: (call.chapter, call.client))}
    for chapter in range(CHAPTERS):
        week = [Shipment(chapter, client, places.get((chapter, client), ())) for client in CLIENTS]
        shipments += [shipment for shipment in week if shipment.calls]
        shipments += [again for shipment in week if (again := _resend(shipment, rng, scale)).calls]
    return tuple(shipments)


def count_links(
    calls: Iterable[Call], owners: Mapping[Identity, str], retracted: Collection[frozenset[Identity]]
) -> tuple[int, int]:
    """(merges, refused pairs) of calls in order of arrival, told from whose each identity really is.

    A merge joins two persons whose identities had both appeared before; a refused pair counts once, one that an
    operator takes back not at all.
    """
    strand_of: dict[Identity, int] = {}
    strands: dict[int, list[Identity]] = {}
    refused: set[frozenset[Identity]] = set()
    merges = 0
    for call in calls:
        if not call.is_accepted:
            continue
        own = [identity for identity in call.identities if owners[identity] == call.person]
        if len(own) < len(call.identities):
            refused |= {frozenset((own[0], other)) for other in call.identities if other not in own}
            refused -= set(retracted)
        if len({strand_of.get(identity, identity) for identity in own}) == 1 and own[0] in strand_of:
            continue
        own += [twin for twin in map(_twin, own) if twin in strand_of]
        known = sorted({strand_of[identity] for identity in own if identity in strand_of})
        merges += max(0, len(known) - 1)
        strand = known[0] if known else len(strand_of)
        members = {*own, *(identity for gone in known for identity in strands.pop(gone))}
        strands[strand] = sorted(members)
        strand_of.update(dict.fromkeys(members, strand))
    return merges, len(refused)


def _twin(identity: Identity) -> Identity | None:
    """The same value as login and as anonymous id is the same person, even if no record says so."""
    key, value = identity
    return {LOGIN: (ANONYMOUS, value), ANONYMOUS: (LOGIN, value)}.get(key)


def _with_accounts(calls: list[Call]) -> Iterator[Call]:
    """The calls with account and family stated: the event's own, else those its person joined first by event time."""
    accounts = _first_joined((call, call.names_account) for call in calls)
    families = _first_joined((call, call.names_family) for call in calls)
    for call in calls:
        if call.outcome == "event" and call.person is not None:
            account = call.names_account or accounts.get(call.person)
            yield replace(call, account=account, family=call.names_family or families.get(call.person))
        else:
            yield call


def _first_joined(named: Iterable[tuple[Call, str | None]]) -> dict[str, str]:
    """What each person joined first by event time."""
    joined: dict[str, tuple[datetime, str]] = {}
    for call, name in named:
        if call.is_accepted and call.person is not None and name is not None:
            joined[call.person] = min(joined.get(call.person, (call.event_at, name)), (call.event_at, name))
    return {person: name for person, (_, name) in joined.items()}


def _resend(shipment: Shipment, rng: random.Random, scale: float) -> Shipment:
    """A run of the shipment's events once more, as after a lost answer."""
    events = [call for call in shipment.calls if call.outcome == "event" and call.method in _RESENDABLE]
    length = max(1, min(round(RESENT_PER_SHIPMENT * scale), len(events) // 4))
    start = rng.randrange(max(1, len(events) - length))
    again = [
        replace(call, outcome="duplicate", person=None, account=None, family=None)
        for call in events[start : start + length]
    ]
    return Shipment(shipment.chapter, shipment.client, tuple(again))
