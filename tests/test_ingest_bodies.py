"""Bodies taken apart leniently, against Python's own reading of them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import Unreadable
from ingest.protocols.splitting import json_items, json_lines, looks_like_lines, object_members

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(['"', "\\", "[{", "]}", ",:"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.just(float("inf")) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def bottomless(value: Any, levels: int = 3000) -> str:
    """A value so deep inside lists and objects that nothing can read it whole."""
    return "[" + '{"k":[' * levels + json.dumps(value) + "]}" * levels + "]"


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_members_of_an_object_are_what_json_says(members: dict[str, Any], indent: int | None, is_ascii: bool) -> None:
    body = json.dumps(members, indent=indent, ensure_ascii=is_ascii).encode()
    assert {name: json.loads(value) for name, value in object_members(body).items()} == members


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4))
def test_what_stands_around_a_bottomless_value_is_read(before: list[Any], after: list[Any]) -> None:
    texts = [*map(json.dumps, before), bottomless([*before, *after]), *map(json.dumps, after)]
    items, stopped = json_items(f"[{', '.join(texts)}]".encode(), 100)
    assert (stopped, [bytes(item).decode() for item in items]) == (None, texts)
    members = object_members(f'{{"a": {texts[len(before)]}, "b": {json.dumps(after)}}}'.encode())
    assert (members["a"].decode(), json.loads(members["b"])) == (texts[len(before)], after)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1', b'{"a":1}}', b'{"a":1} {"b":2}', b'{"a":[[}', b"{a:1}"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        object_members(body)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), min_size=2, max_size=5),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_lines_are_told_and_read(messages: list[dict[str, Any]], newline: str) -> None:
    body = newline.join(map(json.dumps, messages)).encode()
    assert looks_like_lines(body)
    items, stopped = json_lines(body, 10)
    assert (stopped, [json.loads(bytes(item)) for item in items]) == (None, messages)
    assert not looks_like_lines(json.dumps(messages[0], indent=1).encode())
    assert not looks_like_lines(json.dumps(messages, indent=1).encode())
