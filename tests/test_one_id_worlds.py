"""Other worlds: a number printed last month can be printed again, and an act can be tried before it is done."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.record import Act, Request
from tests.examples import histories
from tests.identity_oracle import Pair, Said
from tests.stories import (
    NOON,
    NOON_US,
    SECOND_US,
    VIEWS,
    StoryLog,
    contents,
    device,
    event,
    load_story,
    login,
    native,
    retraction,
    rows,
)
from tests.test_one_id_graph import HISTORIES, PAIRS, RETRACTIONS
from tests.test_one_id_warehouse import acts_of, block, entry, told
from warehouse.one_id.moved import what_moved
from warehouse.one_id.worlds import World
from warehouse.warehouse import Warehouse

SOME = histories(2)
# What loads counted (arrivals, rejects, misfits, plan violations) and the log's acts stay the same in any world.
SHOWN = [view for view in VIEWS if view not in {"arrivals", "rejects", "event_properties", "plan_violations", "acts"}]


def shown(warehouse: Warehouse, world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the public views in a world."""
    with warehouse.snapshot() as snapshot, snapshot.imagined(world):
        found = {}
        for view in SHOWN:
            table = snapshot.query(f"select * from {view} order by all")
            columns = [
                [str(value) if name.endswith("_id") and value is not None else value for value in column.to_pylist()]
                for name, column in zip(table.column_names, table.columns, strict=True)
            ]
            found[view] = list(zip(*columns, strict=True))
        return found


def moment(number: int) -> datetime:
    return NOON + timedelta(seconds=number, microseconds=-1)


def told_log(folder: Path, entries: Sequence[tuple[int, Request | Act]]) -> StoryLog:
    log = StoryLog(folder)
    for at_us, what in entries:
        log.append(what, at_us)
    return log


def entries_of(history: list[Said], acts: Sequence[Act], act_after: int) -> list[tuple[int, Request | Act]]:
    entries: list[tuple[int, Request | Act]] = []
    for number, said in enumerate(told(history)):
        entries.append((said.arrived_us, entry(said, number)))
        if number == act_after:
            entries += [(said.arrived_us + 1 + at, act) for at, act in enumerate(acts)]
    return entries


@SOME
@given(HISTORIES, RETRACTIONS, st.integers(0, 19), st.integers(0, 20))
def test_what_was_known_at_a_moment_is_what_the_log_held_then(
    history: list[Said], retracted: list[frozenset[Pair]], act_after: int, asked: int
) -> None:
    entries = entries_of(history, acts_of(retracted, []), act_after)
    with TemporaryDirectory() as whole, TemporaryDirectory() as part:
        now = load_story(told_log(Path(whole), entries))
        known_us = NOON_US + asked * SECOND_US - 1
        then = load_story(told_log(Path(part), [each for each in entries if each[0] < known_us]))
        expected = contents(then, SHOWN)
        assert shown(now, World(known_at=moment(asked))) == expected


@SOME
@given(HISTORIES, RETRACTIONS, st.lists(st.sampled_from(PAIRS), max_size=1))
def test_an_act_that_is_thought_of_shows_what_it_would_bring(
    history: list[Said], retracted: list[frozenset[Pair]], blocked: list[Pair]
) -> None:
    acts = acts_of(retracted, blocked)
    with TemporaryDirectory() as without, TemporaryDirectory() as with_acts:
        before = load_story(told_log(Path(without), entries_of(history, [], 99)))
        stood = contents(before, SHOWN)
        done = load_story(told_log(Path(with_acts), entries_of(history, acts, len(history) - 1)))
        world = World(also=tuple((act.act, act.details) for act in acts))
        assert shown(before, world) == contents(done, SHOWN)
        assert contents(before, SHOWN) == stood


def test_the_world_as_it_was_before_a_login(tmp_path: Path) -> None:
    """A device reads the site on Monday and logs in on Wednesday; on Tuesday it was somebody of its own."""
    log = StoryLog(tmp_path)
    known = login("li")
    day = timedelta(days=1)
    log.tell(
        native(event("pay", known, NOON - 3 * day)),
        native(event("look", device("d1"), NOON - 2 * day)),
        native(event("login", device("d1") | known, NOON)),
    )
    warehouse = load_story(log)
    assert rows(warehouse, "select count(*) from persons") == [(1,)]
    with warehouse.snapshot() as snapshot, snapshot.imagined(World(happened_at=NOON - day)):
        assert snapshot.query("select count(*) as persons from persons")["persons"].to_pylist() == [2]
        assert snapshot.query("select event_name from events order by event_at")["event_name"].to_pylist() == [
            "pay",
            "look",
        ]


def test_worlds_leave_nothing_behind(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(event("look", device("d1") | login("li"))))
    warehouse = load_story(log)
    with warehouse.snapshot() as snapshot:
        for _ in range(2):
            with snapshot.imagined(World(also=(("retract_link", retraction(device("d1"), login("li")).details),))):
                assert snapshot.query("select count(*) as n from persons")["n"].to_pylist() == [2]
        assert snapshot.query("select count(*) as n from persons")["n"].to_pylist() == [1]
        with snapshot.imagined(World(also=(("block_value", block(("$identity_login_id", "li")).details),))):
            assert snapshot.query("select count(*) as n from persons")["n"].to_pylist() == [2]


def test_what_a_retraction_would_move(tmp_path: Path) -> None:
    """At a desk Wang's phone number was typed for Li: a phone each, and one number in common."""
    log = StoryLog(tmp_path)
    li, wang = device("li's phone"), device("wang's phone")
    number = {"$identity_mobile": "139"}
    log.tell(
        native(event("look", li, account_id="school-1")),
        native(event("look", wang, account_id="school-2")),
        native(event("pay", wang)),
        native(event("call", number | li)),
        native(event("call", number | wang)),
    )
    warehouse = load_story(log)
    assert rows(warehouse, "select count(*) from persons") == [(1,)]
    world = World(also=(("retract_link", retraction(number, li).details),))
    with warehouse.snapshot() as snapshot:
        moved = what_moved(snapshot, world)
        assert what_moved(snapshot, World()).is_nothing
    assert (moved.persons_before, moved.persons_after) == (1, 2)
    assert [(each.identity_value, each.person_before != each.person_after) for each in moved.identities] == [
        ("wang's phone", True),
        ("139", True),
    ]
    assert moved.event_count == 4  # Wang's two and both calls: the number is a person of its own with Wang now
    assert moved.events_of_another_account == 3  # the payment and the calls, which name none
    assert moved.memberships == 2  # Wang is in school-2 as himself, and Li no more
