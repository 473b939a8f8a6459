"""Random histories of accounts: whatever is loaded when, memberships and accounts of events are what the rules say."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.account_acts import ADD_MEMBER, END_MEMBER
from ingest.message import ANONYMOUS_ID, LOGIN_ID
from ingest.record import Act, Request
from tests.account_oracle import Merge, Pair, Told, account_of, periods_of
from tests.account_stories import day, member, merge, unmerge
from tests.examples import histories
from tests.stories import (
    SECOND_US,
    STAGES,
    StoryLog,
    contents,
    load_story,
    loader_of,
    native,
    new_warehouse,
    rows,
    us,
)
from warehouse.refresh import refresh_marts
from warehouse.warehouse import Warehouse

MARTS = ("daily_activity", "sales_path_daily", "acquisition_daily")
START_US = us(day(10))
# Persons are joined only by these pairs of a device and a login, so links and their order are no matter here.
PEOPLE: list[tuple[Pair, ...]] = [
    ((LOGIN_ID, "an"),),
    ((LOGIN_ID, "an"), (ANONYMOUS_ID, "phone")),
    ((ANONYMOUS_ID, "phone"),),
    ((LOGIN_ID, "bo"),),
    ((ANONYMOUS_ID, "tablet"),),
    ((LOGIN_ID, "bo"), (ANONYMOUS_ID, "tablet")),
]
ACCOUNTS = {"account": ["S1", "S2", "S3"], "family": ["F1", "F2"]}
MOMENTS = st.integers(1, 8).map(day)
NAMED = st.sampled_from(
    [
        {},
        {"account": ("S1",)},
        {"account": ("S2",)},
        {"account": ("S3", "S1")},
        {"family": ("F1",)},
        {"family": ("F2", "F1"), "account": ("S1",)},
    ]
)
ACCOUNT = st.sampled_from([(kind, each) for kind, ids in ACCOUNTS.items() for each in ids])

SENT = st.tuples(
    st.sampled_from(["event", "event", "event", "group", "leave"]), st.sampled_from(PEOPLE), MOMENTS, NAMED
)
ACTS = st.one_of(
    st.tuples(st.sampled_from([ADD_MEMBER, END_MEMBER]), st.sampled_from(PEOPLE), MOMENTS, ACCOUNT),
    st.tuples(st.just("merge"), ACCOUNT, st.integers(0, 2), st.none()),
    st.tuples(st.just("unmerge"), ACCOUNT, st.none(), st.none()),
)
# Which stream brings it (the operators have one of their own), and after how many of all records it is readable.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 4), SENT),
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 4), SENT),
        st.tuples(st.just("operator"), st.integers(0, 4), ACTS),
    ),
    min_size=2,
    max_size=14,
)

Step = tuple[str, int, tuple[Any, Any, Any, Any]]


def entry_of(number: int, what: tuple[Any, Any, Any, Any]) -> tuple[Request | Act, Told | Merge] | None:
    """A record of the log, and what it tells the oracle; None for what nobody would send."""
    kind, who, at, named = what
    match kind:
        case "merge":
            into = ACCOUNTS[who[0]][at % len(ACCOUNTS[who[0]])]
            return None if into == who[1] else (merge(who[1], into, who[0]), Merge(who, into))
        case "unmerge":
            return unmerge(who[1], who[0]), Merge(who, None)
        case "add_member" | "end_member":
            act = member(kind, dict(who[:1]), named[0], named[1], at)
            return act, Told(kind, who[0], at, {named[0]: (named[1],)})
    accounts = {name: list(ids) for name, ids in named.items()}
    message = {"identities": dict(who), "event_at": at.isoformat(), "accounts": accounts}
    if kind == "event":
        stage = ("reach", "pay", "look")[number % 3]
        sent = native({**message, "event_name": stage, "dedupe_key": str(number)})
        return sent, Told(kind, who[0], at, named, str(number))
    if not named:
        return None
    properties = {"$leave": True} if kind == "leave" else {}
    return native({**message, "record_type": "group", "properties": properties}), Told(kind, who[0], at, named)


@histories(3)
@given(STEPS, st.sampled_from([1, 3, 50]), st.lists(st.booleans(), min_size=20, max_size=20))
def test_accounts_are_what_the_rules_say_however_they_came(
    steps: list[Step], load_max_messages: int, refresh_after: list[bool]
) -> None:
    history, told = list[tuple[int, str, Request | Act]](), list[Told | Merge]()
    readable = list[int]()
    for number, (stream, delay, what) in enumerate(steps):
        made = entry_of(number, what)
        if made is not None:
            earlier = [when for when, (_, name, _) in zip(readable, history, strict=True) if name == stream]
            readable.append(max([number + delay, *earlier]))
            history.append((START_US + number * SECOND_US, stream, made[0]))
            told.append(made[1])
    with TemporaryDirectory() as folder:
        log, warehouse = StoryLog(Path(folder)), new_warehouse(load_max_messages=load_max_messages)
        loader = loader_of(warehouse, log)
        refresh_marts(warehouse, STAGES)
        for at in sorted(range(len(history)), key=lambda at: readable[at]):
            arrived_us, stream, entry = history[at]
            log.append(entry, arrived_us, stream)
            loader.load_next()
            if refresh_after[at]:
                refresh_marts(warehouse, STAGES)
        loader.load_all()
        assert contents(warehouse) == contents(load_story(log))
        refresh_marts(warehouse, STAGES)
        refreshed = contents(warehouse, MARTS)
        refresh_marts(warehouse, STAGES, rebuild=True)
        assert refreshed == contents(warehouse, MARTS)
        _judge(warehouse, told)


def _judge(warehouse: Warehouse, told: list[Told | Merge]) -> None:
    found = rows(warehouse, "select identity_key, identity_value, person_id from identities")
    person_of = {(key, value): str(person) for key, value, person in found}
    periods = [
        (person, account[0], account[1], _plain(joined), _plain(left))
        for person, account, joined, left in periods_of(told, person_of)
    ]
    statement = "select person_id, account_type, account_id, joined_at, left_at from memberships"
    assert sorted((str(row[0]), *row[1:]) for row in rows(warehouse, statement)) == sorted(
        periods, key=lambda each: (*each[:4],)
    )
    events = [each for each in told if isinstance(each, Told) and each.kind == "event"]
    expected = {
        (each.name, account_type): account
        for each in events
        for account_type in ACCOUNTS
        if (account := account_of(each, account_type, told, person_of)) is not None
    }
    names = dict(rows(warehouse, "select event_id, dedupe_key from events"))
    by_type = rows(warehouse, "select event_id, account_type, account_id from account_events")
    assert {(names[event_id], account_type): account for event_id, account_type, account in by_type} == expected
    assert dict(rows(warehouse, "select dedupe_key, account_id from events where account_id is not null")) == {
        name: account for (name, account_type), account in expected.items() if account_type == "account"
    }


def _plain(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=None)
