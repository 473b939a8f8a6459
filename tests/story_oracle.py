"""A slow and obvious judge of the demo: what its statements come to, and what the written identity rules come to.

Plain Python over the story's calls in order of arrival; it shares nothing with the warehouse and the models.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import Literal

from api.demo.calls import ANONYMOUS, LOGIN, STAGES, ZONE, Call, Identity

Subject = Literal["person", "account", "family"]

_SINGLE_VALUED = ("$identity_login_id", "$identity_mobile", "$identity_email")
_LAST = ("$identity_anonymous_id", "$identity_cookie_id")


@dataclass(frozen=True)
class StageRow:
    """One stage of the sales path over all subjects.

    A subject enters a stage at its first matching event. It has reached every stage up to the furthest one entered;
    those it has reached but never entered are skipped. A stage is out of order when it was entered before an earlier
    one.
    """

    name: str
    entered: int
    reached: int
    skipped: int
    out_of_order: int
    furthest_here: int
    median_s_to_next: float | None
    """Between first entries of this stage and the next, over subjects that entered both in this order."""


def sales_path(calls: Iterable[Call], subject: Subject) -> list[StageRow]:
    """The path walked by persons, accounts or families; events without the subject are left out."""
    first_entries: dict[str, dict[int, datetime]] = defaultdict(dict)
    for call in _events(calls):
        who = {"person": call.person, "account": call.account, "family": call.family}[subject]
        if who is None or call.event_name is None:
            continue
        for index, stage in enumerate(STAGES):
            if stage.matches(call.event_name, call.properties):
                entries = first_entries[who]
                entries[index] = min(call.event_at, entries.get(index, call.event_at))
    return [_stage_row(index, list(first_entries.values())) for index in range(len(STAGES))]


def _stage_row(index: int, walks: list[dict[int, datetime]]) -> StageRow:
    entered = [walk for walk in walks if index in walk]
    reached = [walk for walk in walks if max(walk) >= index]
    out_of_order = [walk for walk in entered if any(walk[earlier] > walk[index] for earlier in walk if earlier < index)]
    steps = [
        (walk[index + 1] - walk[index]).total_seconds()
        for walk in entered
        if index + 1 in walk and walk[index] <= walk[index + 1]
    ]
    return StageRow(
        name=STAGES[index].name,
        entered=len(entered),
        reached=len(reached),
        skipped=len(reached) - len(entered),
        out_of_order=len(out_of_order),
        furthest_here=sum(1 for walk in walks if max(walk) == index),
        median_s_to_next=median(steps) if steps else None,
    )


def weekly_retention(calls: Iterable[Call]) -> dict[date, list[int]]:
    """By local Monday of a person's first event: persons active 0, 1, 2 ... weeks later, to the story's end."""
    weeks_of: dict[str, set[date]] = defaultdict(set)
    for call in _events(calls):
        local_date = call.event_at.astimezone(ZONE).date()
        weeks_of[str(call.person)].add(local_date - timedelta(days=local_date.weekday()))
    last = max(max(weeks) for weeks in weeks_of.values())
    retained: dict[date, list[int]] = {}
    for weeks in weeks_of.values():
        cohort = min(weeks)
        counts = retained.setdefault(cohort, [0] * ((last - cohort).days // 7 + 1))
        for week in weeks:
            counts[(week - cohort).days // 7] += 1
    return dict(sorted(retained.items()))


def count_persons(calls: Iterable[Call]) -> int:
    """Persons with at least one accepted event."""
    return len({call.person for call in _events(calls)})


def count_accounts(calls: Iterable[Call]) -> int:
    """Accounts with at least one accepted event."""
    return len({call.account for call in _events(calls)} - {None})


def count_outcomes(calls: Iterable[Call]) -> Counter[tuple[str, str, str]]:
    """Records by protocol, record type and outcome."""
    return Counter((call.protocol, call.record_type, call.outcome) for call in calls)


@dataclass
class Simulation:
    """The written rules, followed record by record."""

    person_of: list[int | None] = field(default_factory=list)
    """For each call the person it belongs to in the end, by when its first identity was seen; `None` for what is not an
    accepted event."""
    account_of: list[str | None] = field(default_factory=list)
    family_of: list[str | None] = field(default_factory=list)
    merged: int = 0
    joined: int = 0
    refused: set[frozenset[Identity]] = field(default_factory=set)
    retracted: set[frozenset[Identity]] = field(default_factory=set)
    persons: dict[int, set[Identity]] = field(default_factory=dict)
    """The identities of each person in the end."""


def simulate(calls: list[Call], retracted: Iterable[tuple[Identity, Identity]] = ()) -> Simulation:
    """Decide joins in order of arrival, then give every event to the person its identity ended up in.

    Links that are `retracted` were never there.
    """
    simulation = Simulation()
    void = {frozenset(link) for link in retracted}
    person_of: dict[Identity, int] = {}
    for number, call in enumerate(calls):
        if call.is_accepted:
            _take_record(call, number, person_of, simulation, void)
    found = [person_of[_by_priority(call)[0]] if call.is_accepted else None for call in calls]
    simulation.person_of = [
        person if call.outcome == "event" else None for call, person in zip(calls, found, strict=True)
    ]
    simulation.account_of = _joined([call.names_account for call in calls], calls, found)
    simulation.family_of = _joined([call.names_family for call in calls], calls, found)
    return simulation


def moved_events(calls: list[Call], retracted: Iterable[tuple[Identity, Identity]]) -> int:
    """Events that belong to another person once these links are taken back."""
    before, after = simulate(calls).person_of, simulate(calls, retracted).person_of
    return sum(one != other for one, other in zip(before, after, strict=True))


def _joined(named: list[str | None], calls: list[Call], person_of: list[int | None]) -> list[str | None]:
    """The account of each event: the one it names, else the one that its person joined first by event time."""
    evidence: dict[int, tuple[datetime, str]] = {}
    for name, call, person in zip(named, calls, person_of, strict=True):
        if person is not None and name is not None:
            evidence[person] = min((call.event_at, name), evidence.get(person, (call.event_at, name)))
    return [
        (name or (evidence[person][1] if person in evidence else None)) if call.outcome == "event" else None
        for name, call, person in zip(named, calls, person_of, strict=True)
    ]


def _take_record(
    call: Call,
    number: int,
    person_of: dict[Identity, int],
    simulation: Simulation,
    void: Collection[frozenset[Identity]],
) -> None:
    persons = simulation.persons
    named = _by_priority(call)
    attempts = named + [twin for twin in map(_twin, named) if twin in person_of]
    before = {person_of[identity] for identity in attempts if identity in person_of}
    for index, identity in enumerate(named):
        if identity not in person_of:
            person_of[identity] = number * 10 + index
            persons[person_of[identity]] = {identity}
    for other in attempts[1:]:
        if frozenset((attempts[0], other)) in void:
            simulation.retracted.add(frozenset((attempts[0], other)))
            continue
        left, right = person_of[attempts[0]], person_of[other]
        if left == right:
            continue
        union = persons[left] | persons[right]
        values = Counter(key for key, _ in union)
        if any(values[key] > 1 for key in _SINGLE_VALUED):
            simulation.refused.add(frozenset((attempts[0], other)))
            continue
        if left in before and right in before:
            simulation.merged += 1
        else:
            simulation.joined += 1
        survivor, gone = min(left, right), max(left, right)
        persons[survivor] = union
        del persons[gone]
        person_of.update(dict.fromkeys(union, survivor))


def _by_priority(call: Call) -> list[Identity]:
    def rank(identity: Identity) -> int:
        key, _ = identity
        if key in _SINGLE_VALUED:
            return _SINGLE_VALUED.index(key)
        return len(_SINGLE_VALUED) + (key in _LAST)

    return sorted(call.identities, key=rank)


def _twin(identity: Identity) -> Identity | None:
    """A login id sent without saying so: the same value under the other key."""
    key, value = identity
    if key == LOGIN:
        return (ANONYMOUS, value)
    return (LOGIN, value) if key == ANONYMOUS else None


def _events(calls: Iterable[Call]) -> Iterable[Call]:
    return (call for call in calls if call.outcome == "event")
