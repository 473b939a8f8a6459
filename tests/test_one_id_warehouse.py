"""Persons in the warehouse: the oracle's, however the log is cut into loads and whatever stream comes late."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.message import Identity
from ingest.record import Act, Request
from tests.examples import histories
from tests.identity_oracle import Pair, Said, world_after
from tests.stories import (
    NOON_US,
    PROJECT,
    SECOND_US,
    StoryLog,
    contents,
    load_story,
    loader_of,
    native,
    new_warehouse,
    retraction,
    rows,
    unbind,
)
from tests.test_one_id_graph import HISTORIES, PAIRS, RETRACTIONS
from warehouse.one_id.names import founder_person_id
from warehouse.warehouse import Warehouse

SOME = histories(2)
SALT = PROJECT.salt.encode()
PERSONS = """
select identity_key, identity_value, incarnation, person_id from identities order by all
"""


def entry(said: Said, number: int) -> Request:
    """What a message is sent as; no two are equal."""
    if said.is_unbind:
        return unbind(dict(said.pairs), NOON_US // 1000 + number)
    message = {"event_name": f"e{number}", "identities": dict(said.pairs)}
    if said.record_type == "identify":
        message = {"record_type": "identify", "identities": dict(said.pairs), "properties": {"nth": number}}
    return native(message)


def block(pair: Pair) -> Act:
    """An operator says that a value is nobody's own."""
    return Act("block_value", "head office", {"key": pair[0], "value": pair[1]})


def told(history: Sequence[Said]) -> list[Said]:
    """The same messages one a second, each in a request of its own."""
    return [
        Said(said.pairs, said.is_unbind, said.record_type, NOON_US + number * SECOND_US)
        for number, said in enumerate(history)
    ]


def expected_rows(
    history: Sequence[Said], retracted: Sequence[frozenset[Pair]] = (), blocked: Sequence[Pair] = ()
) -> list[tuple[object, ...]]:
    founders = world_after(told(history), SALT, retracted=retracted, blocked=blocked).founders()
    return sorted(
        (*one, str(founder_person_id(SALT, Identity(founder.key, founder.value), founder.number)))
        for one, founder in founders.items()
    )


def append(log: StoryLog, said: Said, number: int, stream: str = "collector") -> None:
    log.append(entry(said, number), said.arrived_us, stream)


def acts_of(retracted: Sequence[frozenset[Pair]], blocked: Sequence[Pair]) -> list[Act]:
    return [*(retraction(*(dict([pair]) for pair in sorted(link))) for link in retracted), *map(block, blocked)]


@SOME
@given(HISTORIES, RETRACTIONS, st.lists(st.sampled_from(PAIRS), max_size=1), st.integers(0, 20))
def test_persons_agree_with_oracle_whenever_operators_act(
    history: list[Said], retracted: list[frozenset[Pair]], blocked: list[Pair], act_after: int
) -> None:
    with TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        for number, said in enumerate(told(history)):
            append(log, said, number)
            if number == act_after:
                for at, act in enumerate(acts_of(retracted, blocked)):
                    log.append(act, said.arrived_us + 1 + at)
        is_acted = act_after < len(history)
        warehouse = load_story(log, load_max_bytes=600)
        assert rows(warehouse, PERSONS) == expected_rows(history, *((retracted, blocked) if is_acted else ()))


@SOME
@given(HISTORIES, RETRACTIONS, st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=20, max_size=20))
def test_streams_that_come_late_in_any_grouping_give_what_a_rebuild_gives(
    history: list[Said], retracted: list[frozenset[Pair]], delays: list[tuple[bool, int]]
) -> None:
    """Each message is written by one of two collectors and becomes readable some messages later; acts stand between."""
    with TemporaryDirectory() as folder:
        log, warehouse = StoryLog(Path(folder)), new_warehouse()
        loader, readable = loader_of(warehouse, log), {"a": 0, "b": 0}
        turns = []
        for number, (said, (is_second, delay)) in enumerate(zip(told(history), delays, strict=False)):
            stream = "b" if is_second else "a"
            readable[stream] = max(readable[stream], number + delay)
            turns.append((readable[stream], number, said, stream))
        for number, act in enumerate(acts_of(retracted, [])):
            log.append(act, NOON_US + (3 * number + 1) * SECOND_US + 1, "operator")
        for _, number, said, stream in sorted(turns, key=lambda turn: turn[:2]):
            append(log, said, number, f"collector-{stream}")
            loader.load_next()
        loader.load_all()
        assert rows(warehouse, PERSONS) == expected_rows(history, retracted)
        assert contents(warehouse) == contents(load_story(log))
        assert_each_event_has_one_person(warehouse)


def assert_each_event_has_one_person(warehouse: Warehouse) -> None:
    [(events, with_person, persons_events)] = rows(
        warehouse,
        "select (select count(*) from store.events), (select count(*) from events where person_id is not null), "
        "(select count(*) from events semi join persons using (person_id))",
    )
    assert events == with_person == persons_events


RULES = {"scheme": "one_to_one"}


def test_rules_hold_from_a_second_after_they_were_set(tmp_path: Path) -> None:
    """Two devices of one login: one person while the scheme is the graph, two from the narrower rules on."""
    log = StoryLog(tmp_path)
    both = {"$identity_anonymous_id": "d1", "$identity_login_id": "u1"}
    log.append(native({"event_name": "look", "identities": {"$identity_anonymous_id": "d2"}}))
    log.append(native({"event_name": "look", "identities": both}), NOON_US + SECOND_US)
    log.append(Act(SET_IDENTITY_RULES, "head office", {"rules": RULES}), NOON_US + 2 * SECOND_US, "operator")
    second = {"$identity_anonymous_id": "d2", "$identity_login_id": "u1"}
    log.append(native({"event_name": "login", "identities": second}), NOON_US + 5 * SECOND_US)
    warehouse = load_story(log)
    assert rows(warehouse, "select count(*) from persons") == [(2,)]
    assert rows(warehouse, "select outcome, reason from store.links where outcome = 'refused'") == [
        ("refused", "both_known")
    ]


def test_unknown_keys_are_refused_where_the_rules_say_so(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    rules = {"unknown_keys": "reject", "keys": {"student_number": {"values": "single"}}}
    log.append(Act(SET_IDENTITY_RULES, "head office", {"rules": rules}), NOON_US, "operator")
    for number, key in enumerate(("student_number", "wx_number", "$identity_mp_wx12_openid")):
        sent = {"event_name": "look", "identities": {key: "7"}}
        log.append(native(sent), NOON_US + (5 + number) * SECOND_US)
    warehouse = load_story(log)
    assert rows(warehouse, "select identity_key from identities order by all") == [
        ("$identity_mp_wx12_openid",),
        ("student_number",),
    ]
    assert rows(warehouse, "select reason, detail from rejects") == [
        ("unknown_identity_key", "identity key 'wx_number' is not declared; declare it in the identity rules")
    ]


def test_history_stays_where_the_rules_say_so(tmp_path: Path) -> None:
    """Example E before the repair: what the second device saw before its login stays its own; afterwards it is L1's."""
    log = StoryLog(tmp_path)
    log.append(Act(SET_IDENTITY_RULES, "head office", {"rules": {"scheme": "many_to_one", "history": "stays"}}))
    d1, d2, both = "$identity_anonymous_id", "d2", {"$identity_login_id": "L1"}
    for number, (name, identities) in enumerate(
        [
            ("e1", {d1: "d1"}),
            ("login", {d1: "d1"} | both),
            ("e2", {d1: d2}),
            ("login", {d1: d2} | both),
            ("e3", {d1: d2}),
        ]
    ):
        message = {"event_name": name, "identities": identities, "properties": {"nth": number}}
        log.append(native(message), NOON_US + (5 + number) * SECOND_US)
    warehouse = load_story(log)
    of_l1 = "select person_id from identities where identity_value = 'L1'"
    owned = f"select event_name, person_id in ({of_l1}) from events where event_name <> 'login' order by event_name"
    assert rows(warehouse, owned) == [("e1", True), ("e2", False), ("e3", True)]
    assert_each_event_has_one_person(warehouse)
    assert rows(warehouse, "select count(*) from persons") == [(2,)]
    assert contents(warehouse) == contents(load_story(log, load_max_messages=1))
