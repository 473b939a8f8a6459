"""What bytes mention: the words and texts in them, however they were packed on their way.

For what no decoder could read. Looks into gzip and deflate (also cut off ones), base64, form encoding and JSON escapes,
each within the others; a text counts as a whole, and so does each word in it.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from ingest.errors import Unreadable
from ingest.protocols.lenient import lenient_json
from ingest.protocols.unpacking import GZIP_MAGIC
from ingest.protocols.values import id_text

_DEEPEST = 4
_MOST_UNPACKED_BYTES = 64 << 20
_GZIP_START = GZIP_MAGIC + b"\x08"
_ZLIB_MAGICS = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
# A text that was cut off has lost its end, and what was its last word counts too.
_WORD_ENDS = re.compile(r"[\s\"'`&=,;<>{}\[\]()|?#/\\:%*\x00-\x1f]+")


def mentions(data: bytes) -> Iterator[str]:
    """Every text and word in `data`, in all the forms it can be read in; some of them come more than once."""
    for form in _forms(data, _DEEPEST):
        yield from _texts(form.decode("utf-8", "replace"))


def mentions_of(value: Any) -> Iterator[str]:
    """Every text and word in the values of an object that was read from JSON or msgpack."""
    for text in _scalars(value):
        yield text
        yield from _words(text)


def _forms(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if not depth or not data:
        return
    for inner in _unpacked(data):
        if inner:
            yield from _forms(inner, depth - 1)


def _unpacked(data: bytes) -> Iterator[bytes]:
    at = data.find(_GZIP_START)
    while at >= 0:
        yield _inflated(data[at:], zlib.MAX_WBITS | 16)
        at = data.find(_GZIP_START, at + 1)
    if data[:2] in _ZLIB_MAGICS:
        yield _inflated(data, zlib.MAX_WBITS)
    if b"%" in data:
        yield unquote_to_bytes(data.replace(b"+", b" "))
        # A base64 text may hold a plus that nobody encoded.
        yield unquote_to_bytes(data)
    for found in _BASE64.finditer(data.replace(b" ", b"+")):
        yield _unbased(found[0])


def _inflated(data: bytes, wbits: int) -> bytes:
    """What one compressed stream holds, as far as it can be read."""
    inflater, pieces = zlib.decompressobj(wbits=wbits), list[bytes]()
    left = _MOST_UNPACKED_BYTES
    for at in range(0, len(data), 1024):
        try:
            pieces.append(inflater.decompress(data[at : at + 1024], left))
        except zlib.error:
            break
        left -= len(pieces[-1])
        if inflater.eof or left <= 0:
            break
    return b"".join(pieces)


def _unbased(text: bytes) -> bytes:
    """A base64 text decoded, when it holds something packed or text; binary noise is what most long words come to."""
    whole = text.replace(b"-", b"+").replace(b"_", b"/")
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    try:
        data = base64.b64decode(whole + b"=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return b""
    if data[:2] == GZIP_MAGIC or data[:2] in _ZLIB_MAGICS:
        return data
    text_length = len(data.decode("utf-8", "ignore").encode())
    return data if text_length > len(data) - 4 else b""


def _texts(text: str) -> Iterator[str]:
    try:
        whole = lenient_json(text.encode("utf-8", "surrogatepass"))
    except Unreadable:
        yield text.strip()
        yield from _words(text)
        for found in _QUOTED.finditer(text):
            yield from _unescaped(found[0])
    else:
        yield from mentions_of(whole)


def _unescaped(quoted: str) -> Iterator[str]:
    try:
        inner = json.loads(quoted, strict=False)
    except ValueError:
        return
    yield inner.strip()
    yield from _words(inner)


def _words(text: str) -> Iterator[str]:
    yield from filter(None, _WORD_ENDS.split(text))


def _scalars(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            left += each
        elif isinstance(each, bytes):
            left.append(each.decode("utf-8", "replace"))
        elif (text := id_text(each)) is not None:
            yield text
