"""A slow, obvious evaluator of accounts: who was in which from when to when, and whose each event is.

It follows docs/concepts/accounts.md over the whole history anew, and shares no code with the warehouse. Who is one
person it is told, for that has a judge of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Pair = tuple[str, str]
Account = tuple[str, str]  # type and id
Period = tuple[str, Account, datetime, datetime | None]  # person, account, joined, left


@dataclass(frozen=True)
class Told:
    """A message (event, group or leave) of an identity, or an operator's act about one, with the accounts it names."""

    kind: Literal["event", "group", "leave", "add_member", "end_member"]
    who: Pair
    at: datetime
    accounts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Merge:
    """Two accounts of a type become one, or (without `into`) the first stands for itself again."""

    account: Account
    into: str | None


def roots_of(history: Sequence[Told | Merge]) -> Callable[[Account], Account]:
    """Which account each one counts for."""
    pointers: dict[Account, Account] = {}

    def root(account: Account) -> Account:
        return root(pointers[account]) if account in pointers else account

    for told in history:
        if not isinstance(told, Merge):
            continue
        if told.into is None:
            pointers.pop(told.account, None)
        elif root((told.account[0], told.into)) != told.account:
            pointers[told.account] = (told.account[0], told.into)
    return root


def periods_of(history: Sequence[Told | Merge], person_of: dict[Pair, str]) -> list[Period]:
    """Every membership; acts about identities that never came say nothing."""
    root = roots_of(history)
    signs: dict[tuple[str, Account], list[tuple[datetime, int, str]]] = {}
    for order, told in enumerate(history):
        if isinstance(told, Told) and told.who in person_of:
            for account in {root((kind, each)) for kind, ids in told.accounts.items() for each in ids}:
                signs.setdefault((person_of[told.who], account), []).append((told.at, order, told.kind))
    return [
        (person, account, joined, left)
        for (person, account), found in signs.items()
        for joined, left in _periods(sorted(found))
    ]


def _periods(signs: list[tuple[datetime, int, str]]) -> list[tuple[datetime, datetime | None]]:
    periods: list[tuple[datetime, datetime | None]] = []
    since: datetime | None = None
    was_ever_in = False
    for at, _, kind in signs:
        is_end = kind in ("leave", "end_member")
        if is_end and since is not None:
            if since < at:
                periods.append((since, at))
            since = None
        elif not is_end and since is None and (not was_ever_in or kind in ("group", "add_member")):
            since, was_ever_in = at, True
    return [*periods, (since, None)] if since is not None else periods


def account_of(
    told: Told, account_type: str, history: Sequence[Told | Merge], person_of: dict[Pair, str]
) -> str | None:
    """The account of one type that an event belongs to."""
    root = roots_of(history)
    if named := told.accounts.get(account_type):
        return root((account_type, named[0]))[1]
    own = [
        (joined, account[1], left)
        for person, account, joined, left in periods_of(history, person_of)
        if person == person_of[told.who] and account[0] == account_type
    ]
    covering = [each for each in own if each[0] <= told.at and (each[2] is None or told.at < each[2])]
    if covering:
        return min(covering, key=lambda each: each[:2])[1]
    if own and told.at < min(own, key=lambda each: each[:2])[0]:
        return min(own, key=lambda each: each[:2])[1]
    return None
