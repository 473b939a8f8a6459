"""The rules of docs/concepts/properties.md, each with its example: what calls make of a person's properties."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stories import (
    NOON_MS,
    Json,
    native,
    profile,
    rows,
    segment,
    sensors,
    told,
)

PROPERTY_STORIES: list[Any] = [
    pytest.param([profile("set", grade=3), profile("set", grade=4)], {"grade": 4}, id="the last set stands"),
    pytest.param(
        [profile("set", NOON_MS, grade=4), profile("set", NOON_MS - 1, grade=3)],
        {"grade": 4},
        id="one that happened before and comes late does not",
    ),
    pytest.param(
        [profile("set_once", first="web"), profile("set_once", first="app", other=1)],
        {"first": "web", "other": 1},
        id="set_once keeps the first",
    ),
    pytest.param(
        [profile("set_once", NOON_MS, first="web"), profile("set_once", NOON_MS - 1, first="app")],
        {"first": "app"},
        id="an earlier set_once that comes late is the first",
    ),
    pytest.param(
        [profile("increment", books=2), profile("increment", books=3.5)], {"books": 5.5}, id="increments add up"
    ),
    pytest.param(
        [
            profile("set", NOON_MS, books=10),
            profile("increment", NOON_MS + 1, books=1),
            profile("increment", NOON_MS - 1, books=7),
        ],
        {"books": 11},
        id="an increment from before the set counts for nothing",
    ),
    pytest.param(
        [profile("append", subjects=["maths", "art"]), profile("append", subjects=["music", "art", "chess"])],
        {"subjects": ["maths", "art", "music", "chess"]},
        id="append keeps order and drops what is there",
    ),
    pytest.param(
        [profile("set", grade=3, name="Li"), profile("unset", grade=True)],
        {"name": "Li"},
        id="unset takes one away",
    ),
    pytest.param(
        [profile("set", grade=3, name="Li"), profile("delete"), profile("set", NOON_MS + 1, name="Wang")],
        {"name": "Wang"},
        id="delete takes all away",
    ),
    pytest.param(
        [profile("set", NOON_MS, grade=3), profile("delete", NOON_MS - 1)],
        {"grade": 3},
        id="a late delete spares the new",
    ),
    pytest.param([profile("unset", grade=True), profile("set_once", grade=1)], {"grade": 1}, id="unset, then once"),
    pytest.param(
        [profile("set", plan={"a": [1, None]}, ok=True)], {"plan": {"a": [1, None]}, "ok": True}, id="any JSON"
    ),
    pytest.param([profile("increment", books=0.1), profile("increment", books=0.2)], {"books": 0.3}, id="exact sums"),
    pytest.param(
        [
            profile("set", NOON_MS, books=10),
            profile("increment", NOON_MS + 2, books=-3),
            profile("set", NOON_MS + 1, books=5),
        ],
        {"books": 2},
        id="a late set counts below the increments after it",
    ),
    pytest.param(
        [profile("set", books="many"), profile("increment", books=2)], {"books": "many"}, id="no increment of a text"
    ),
    pytest.param([profile("set", books=2), profile("increment", books="2")], {"books": 2}, id="no increment by a text"),
    pytest.param([profile("set", ok=True), profile("increment", ok=1)], {"ok": True}, id="no increment of a boolean"),
    pytest.param(
        [profile("set", huge=1e15), profile("increment", huge=1)],
        {"huge": 1e15},
        id="no increment beyond fifteen digits",
    ),
    pytest.param([profile("set", age=7), profile("append", age=["x"])], {"age": 7}, id="no append to a number"),
    pytest.param([profile("append", tags="vip")], {"tags": ["vip"]}, id="one value is appended as an item"),
    pytest.param(
        [
            profile("set", tags=["a", "a", "b"]),
            profile("append", tags=["b", "c", {"x": 1}]),
            profile("append", tags=[{"x": 1}]),
        ],
        {"tags": ["a", "a", "b", "c", {"x": 1}]},
        id="what a set said stays as it was said",
    ),
    pytest.param([profile("append", tags=[]), profile("append", tags=[None])], {}, id="nothing is appended"),
    pytest.param(
        [profile("append", tags=["a"]), profile("unset", tags=True), profile("append", tags=["b", "a"])],
        {"tags": ["b", "a"]},
        id="after an unset a list begins anew",
    ),
    pytest.param([profile("set", grade=3), profile("set", grade=None)], {"grade": 3}, id="a null says nothing"),
    pytest.param(
        [profile("increment", books=2), profile("delete"), profile("increment", NOON_MS + 1, books=3)],
        {"books": 3},
        id="counting begins anew after a delete",
    ),
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The properties that each person of `PROPERTY_STORIES` ends up with, by the story's name."""
    calls = [
        sensors({**call, "distinct_id": story.id, "_track_id": number})
        for story in PROPERTY_STORIES
        for number, call in enumerate(story.values[0])
    ]
    warehouse = told(tmp_path_factory.mktemp("described"), *calls)
    found = rows(
        warehouse, "select identity_value, properties from persons inner join identities using (person_id) order by all"
    )
    return {story: json.loads(text or "{}") for story, text in found}


@pytest.mark.parametrize(("calls", "expected"), PROPERTY_STORIES)
def test_properties_are_what_the_calls_made_of_them_in_their_time(
    described: dict[str, Any], request: pytest.FixtureRequest, calls: list[Json], expected: Json
) -> None:
    assert described[request.node.callspec.id] == expected


def test_property_of_any_name_is_found(tmp_path: Path) -> None:
    names = ["", "*", "\\", '"', 'a\\"b', "a.b", "$.x", "[0]", "a/b", "~1", "#", "名字", "a\0b", " "]
    sent = {name: f"kept {name}" for name in names}
    call = {"type": "profile_set", "distinct_id": "d1", "time": NOON_MS, "properties": sent}
    ((text,),) = rows(told(tmp_path, sensors(call)), "select properties from persons")
    assert json.loads(text) == sent


def test_number_beyond_all_doubles_leaves_the_property_out(tmp_path: Path) -> None:
    warehouse = told(
        tmp_path, native(b'{"record_type":"identify","identities":{"k":"v"},"properties":{"a":1e999,"b":1}}')
    )
    assert rows(warehouse, "select properties from persons") == [('{"b":1}',)]


def test_traits_of_segment_are_set(tmp_path: Path) -> None:
    calls = [
        {"type": "identify", "userId": "li", "messageId": "1", "traits": {"grade": 3, "city": "Hefei"}},
        {"type": "identify", "userId": "li", "messageId": "2", "traits": {"grade": 4, "city": None}},
    ]
    ((text,),) = rows(told(tmp_path, segment(*calls)), "select properties from persons")
    assert json.loads(text) == {"grade": 4, "city": "Hefei"}
