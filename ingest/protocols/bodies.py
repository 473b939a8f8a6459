"""Bodies: from the bytes of a request to the JSON inside, whatever the headers claim.

Content types lie and gzip comes without its header, so form, base64 and gzip are told by path, field names and first
bytes (seen in recorded traffic of the real clients).
"""

import base64
import binascii
import json
import math
import re
import zlib
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from ingest.errors import Unreadable

S = TypeVar("S", bound=msgspec.Struct)
# A message as its own bytes; `bytes(item)` copies them out of the body they stand in.
Item = bytes | msgspec.Raw

GZIP_MAGIC = b"\x1f\x8b"
# Each member costs a copy of what follows it, so their number must not be the sender's choice.
_MOST_GZIP_MEMBERS = 100
# No JSON and no form that clients send begins with these.
_ZLIB_MAGICS = frozenset({b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"})
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


def plain_body(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """A body as it was before it was compressed, told by its first bytes; only raw deflate needs its header.

    Raises `Unreadable`.
    """
    if body[:2] == GZIP_MAGIC:
        body = gunzip(body, max_bytes)
    elif body[:2] in _ZLIB_MAGICS:
        body = _inflate(body, zlib.MAX_WBITS, max_bytes)[0]
    elif content_encoding == "deflate" and body[:1] not in b"{[":
        body = _inflate(body, -zlib.MAX_WBITS, max_bytes)[0]
    return body


def is_packed(body: bytes, content_encoding: str) -> bool:
    """Whether anything says that a body is compressed, so that its length says little about the work it makes."""
    return body[:2] == GZIP_MAGIC or body[:2] in _ZLIB_MAGICS or content_encoding not in ("", "identity")


def unpack_small(body: bytes, most_bytes: int) -> bytes | None:
    """What is in a body that is gzip of at most `most_bytes`; None for any other, of which no more is unpacked."""
    try:
        return gunzip(body, most_bytes) if body[:2] == GZIP_MAGIC else None
    except Unreadable:
        return None


def check_extent(body: bytes) -> None:
    """Raise `Unreadable` for a body of more values than any decoder shall be given at once."""
    if has_more_values(body, _MOST_VALUES):
        raise Unreadable("unreadable_body", f"more than {_MOST_VALUES} values in one body; send it in parts")


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Decompress gzip, every member of it, stopping past `max_bytes` before the memory is spent.

    Raises `Unreadable`.
    """
    pieces, left = list[bytes](), max_bytes
    while data:
        if len(pieces) == _MOST_GZIP_MEMBERS:
            raise Unreadable("unreadable_body", f"more than {_MOST_GZIP_MEMBERS} gzip members")
        plain, data = _inflate(data, zlib.MAX_WBITS | 16, left)
        pieces.append(plain)
        left -= len(plain)
        data = data.lstrip(b"\0")  # the padding that gzip allows
    return b"".join(pieces)


def maybe_gunzip(data: bytes, max_bytes: int) -> bytes:
    """`data`, decompressed when its first bytes are those of gzip."""
    return gunzip(data, max_bytes) if data[:2] == GZIP_MAGIC else data


def _inflate(data: bytes, wbits: int, max_bytes: int) -> tuple[bytes, bytes]:
    """What one compressed stream holds, and the bytes behind it."""
    inflater = zlib.decompressobj(wbits=wbits)
    try:
        plain = inflater.decompress(data, max_bytes + 1)
    except zlib.error as error:
        form = "gzip" if wbits > zlib.MAX_WBITS else "deflate"
        raise Unreadable("unreadable_body", f"not {form}: {error}") from error
    if len(plain) > max_bytes:
        raise Unreadable("decompressed_too_large", f"more than {max_bytes} bytes when decompressed")
    if not inflater.eof:
        raise Unreadable("unreadable_body", "the compressed stream ends early")
    return plain, inflater.unused_data


def unbase64(text: str) -> bytes:
    """Decode base64 whose `+` may have become a space on the way and whose padding may be missing."""
    repaired = text.strip().replace(" ", "+").replace("-", "+").replace("_", "/")
    repaired += "=" * (-len(repaired) % 4)
    try:
        return base64.b64decode(repaired, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("unreadable_body", f"not base64: {error}") from error


def form_fields(text: bytes | str) -> dict[str, str]:
    """The fields of a query string or form body; the first of a repeated name counts."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=200)
    except ValueError as error:
        raise Unreadable("unreadable_body", f"not a form: {error}") from error
    return dict(reversed(pairs))


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


def _is_json_with_nan(line: bytes) -> bool:
    try:
        json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return False
    return True


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


def _after_gap(text: str, at: int) -> int:
    gap = _BETWEEN_ITEMS.match(text, at)
    return gap.end() if gap is not None else at


def _too_many(max_items: int) -> Unreadable:
    return Unreadable("too_many_messages", f"more than {max_items} messages in a request; those beyond are not read")


def read_struct(item: Item, form: "msgspec.json.Decoder[S]") -> S:
    """One JSON object as `form` reads it. Raises `Unreadable` saying what is wrong and where."""
    try:
        return form.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.convert(lenient_json(bytes(item)), form.type)
    except msgspec.ValidationError as error:
        raise Unreadable("unreadable_message", str(error)) from error


def lenient_json(raw: bytes) -> Any:
    """JSON as real clients write it: NaN is read as null, and emoji sent as two surrogates (CESU-8) are joined again.

    A number too large for a double is read as null too: it could not be written as JSON again.
    """
    try:
        value = json.loads(
            raw.decode("utf-8", "surrogatepass"), parse_constant=lambda _name: None, parse_float=_finite_float
        )
        return _join_surrogates(value)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise Unreadable("unreadable_message", f"not JSON: {error}") from error


def _finite_float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _join_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_join_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_join_surrogates(key): _join_surrogates(item) for key, item in value.items()}
    return value
