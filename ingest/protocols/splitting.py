"""Splitting: JSON into its messages or members, each as its own bytes, so that one that is broken costs no other.

How much JSON holds is told before it is read; what holds too much at once is taken apart step by step.
"""

import json
import re

import msgspec

from ingest.errors import Unreadable

# A message as its own bytes; `bytes(item)` copies them out of the body they stand in.
Item = bytes | msgspec.Raw

# A decoder makes an object of each value in one go, while all else waits. What holds more (ten thousand messages of a
# hundred values do not) is taken apart step by step.
_MOST_VALUES = 1_000_000
_MOST_STEPS = 2 * _MOST_VALUES
_ARRAY: "msgspec.json.Decoder[list[Item]]" = msgspec.json.Decoder(list[msgspec.Raw])
_BETWEEN_ITEMS = re.compile(r"[ \t\r\n,]*")
_BEFORE_VALUE = re.compile(r"[ \t\r\n:]*")
# What opens or closes a nested value, once texts are stepped over as a whole.
# A text without end is stepped over too: else each quote within would be tried anew.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|([\[{]+)|([\]}]+)', re.DOTALL)
_TEXTS_AND_STARTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|([\[{,]+)', re.DOTALL)
# Past so many open brackets nobody means well, and looking for the end would take seconds.
_DEEPEST = 100_000
_LINES = re.compile(rb"[^\r\n]+")
_MOST_FIRST_LINE_BYTES = 64 << 10
_NOT_BLANK = re.compile(rb"\S")
_ANY_JSON: "msgspec.json.Decoder[msgspec.Raw]" = msgspec.json.Decoder(msgspec.Raw)


def check_extent(body: bytes) -> None:
    """Raise `Unreadable` for a body of more values than any decoder shall be given at once."""
    if has_more_values(body, _MOST_VALUES):
        raise Unreadable("unreadable_body", f"more than {_MOST_VALUES} values in one body; send it in parts")


def has_more_values(data: bytes, most: int) -> bool:
    """Whether JSON holds more than about `most` values: told before it is read, and no further than need be."""
    if len(data) <= most or data.count(b",") + data.count(b"[") + data.count(b"{") <= most:
        return False
    count = texts = 0
    for found in _TEXTS_AND_STARTS.finditer(data):
        if (starts := found[1]) is not None:
            count += len(starts)
        else:
            texts += 1
        # JSON has at most a name and a text for each of them; what has more is none, and not worth the time.
        if count > most or texts > 2 * (most + 1):
            return True
    return False


def json_items(data: bytes, max_items: int) -> tuple[list[Item], Unreadable | None]:
    """The elements of a JSON array, or the one value, each as its own bytes, and what stopped the reading if it did.

    At most `max_items` are read.
    """
    if data.lstrip()[:1] != b"[":
        return [data], None
    if has_more_values(data, _MOST_VALUES):
        return _split_leniently(data, max_items, in_steps=True)
    try:
        raws = _ARRAY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _split_leniently(data, max_items)
    return raws[:max_items], _too_many(max_items) if len(raws) > max_items else None


def json_lines(data: bytes, max_items: int) -> tuple[list[Item], Unreadable | None]:
    """The lines of NDJSON that hold anything, at most `max_items`, and what stopped the reading if it did."""
    items = list[Item]()
    for found in _LINES.finditer(data):
        if line := found[0].strip():
            if len(items) == max_items:
                return items, _too_many(max_items)
            items.append(line)
    return items, None


def looks_like_lines(data: bytes) -> bool:
    """Whether a body is NDJSON: its first line alone is a JSON object (of at most 64 KB), and more follows."""
    start = _NOT_BLANK.search(data)
    if start is None or start[0] != b"{":
        return False
    end = data.find(b"\n", start.start(), start.start() + _MOST_FIRST_LINE_BYTES)
    first = data[start.start() : end].rstrip()
    if end < 0 or first[-1:] != b"}" or _NOT_BLANK.search(data, end) is None:
        return False
    try:
        _ANY_JSON.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _is_json_with_nan(first)
    return True


def object_members(data: bytes) -> dict[str, bytes]:
    """The members of a JSON object, each value as its own bytes, read leniently; the last of a repeated name counts.

    Raises `Unreadable`.
    """
    text = data.decode("utf-8", "surrogateescape").strip()
    decoder, members, at = json.JSONDecoder(), dict[str, bytes](), 1
    in_steps = has_more_values(data, _MOST_VALUES)
    if text[:1] != "{":
        raise Unreadable("unreadable_body", "not a JSON object")
    try:
        while (at := _after_gap(text, at)) < len(text) and text[at] != "}":
            if text[at] != '"':
                raise ValueError(f"no name at {at}")
            name, at = decoder.raw_decode(text, at)
            gap = _BEFORE_VALUE.match(text, at)
            at = gap.end() if gap is not None else at
            end = _end_of_value(decoder, text, at, in_steps=in_steps)
            members[name] = text[at:end].encode("utf-8", "surrogateescape")
            at = end
    except ValueError as error:
        raise Unreadable("unreadable_body", f"not JSON: {error}") from error
    if at != len(text) - 1:
        raise Unreadable("unreadable_body", "the JSON object ends early, or more follows it")
    return members


def _is_json_with_nan(line: bytes) -> bool:
    try:
        json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return False
    return True


def _split_leniently(data: bytes, max_items: int, *, in_steps: bool = False) -> tuple[list[Item], Unreadable | None]:
    # Python clients send NaN, which is not JSON: one such event must not cost its neighbours.
    text = data.decode("utf-8", "surrogateescape").strip()
    decoder, items, at = json.JSONDecoder(), list[Item](), 1
    try:
        while (at := _after_gap(text, at)) < len(text) and text[at] != "]":
            if len(items) == max_items:
                return items, _too_many(max_items)
            end = _end_of_value(decoder, text, at, in_steps=in_steps)
            items.append(text[at:end].encode("utf-8", "surrogateescape"))
            at = end
    except ValueError as error:
        return items, Unreadable("unreadable_body", f"not JSON after {len(items)} messages: {error}")
    if at == len(text):
        return items, Unreadable("unreadable_body", f"the JSON array ends early, after {len(items)} messages")
    if at < len(text) - 1:
        return items, Unreadable("unreadable_body", f"more than one JSON array; {len(items)} messages are in the first")
    return items, None


def _end_of_value(decoder: json.JSONDecoder, text: str, at: int, *, in_steps: bool) -> int:
    if not (in_steps and text.startswith(("[", "{"), at)):
        try:
            return decoder.raw_decode(text, at)[1]
        except RecursionError:
            pass
    # Nested too deep to be read, yet its end can be found: what stands beside it must not be lost with it.
    depth = 0
    for step, bracket in enumerate(_BRACKETS.finditer(text, at)):
        opened, closed = len(bracket[1] or ""), len(bracket[2] or "")
        if 0 < depth <= closed:
            return bracket.start() + depth
        depth += opened - closed
        if depth > _DEEPEST:
            raise ValueError(f"nested deeper than {_DEEPEST}")
        if step > _MOST_STEPS:
            raise ValueError("one value holds millions")
    raise ValueError("a deeply nested value has no end")


def _after_gap(text: str, at: int) -> int:
    gap = _BETWEEN_ITEMS.match(text, at)
    return gap.end() if gap is not None else at


def _too_many(max_items: int) -> Unreadable:
    return Unreadable("too_many_messages", f"more than {max_items} messages in a request; those beyond are not read")
