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

GZIP_MAGIC = b"\x1f\x8b"
# Arrays with more commas than this are split one by one, so that millions of tiny items never stand in memory at once.
_MANY_COMMAS = 1_000_000
_BETWEEN_ITEMS = re.compile(r"[ \t\r\n,]*")


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Decompress gzip, stopping past `max_bytes` before the memory is spent. Raises `Unreadable`."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = inflater.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise Unreadable("unreadable_body", f"not gzip: {error}") from error
    if len(plain) > max_bytes:
        raise Unreadable("decompressed_too_large", f"more than {max_bytes} bytes when decompressed")
    if not inflater.eof:
        raise Unreadable("unreadable_body", "the gzip stream ends early")
    return plain


def maybe_gunzip(data: bytes, max_bytes: int) -> bytes:
    """`data`, decompressed when its first bytes are those of gzip."""
    return gunzip(data, max_bytes) if data[:2] == GZIP_MAGIC else data


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


def json_items(data: bytes, max_items: int) -> tuple[list[bytes], Unreadable | None]:
    """The elements of a JSON array, or the one value, each as its own bytes, and what stopped the reading if it did.

    At most `max_items` are read.
    """
    if data.lstrip()[:1] != b"[":
        return [data], None
    if data.count(b",") > _MANY_COMMAS:
        return _split_leniently(data, max_items)
    try:
        raws = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _split_leniently(data, max_items)
    return [bytes(raw) for raw in raws[:max_items]], _too_many(max_items) if len(raws) > max_items else None


def _split_leniently(data: bytes, max_items: int) -> tuple[list[bytes], Unreadable | None]:
    # Python clients send NaN, which is not JSON: one such event must not cost its neighbours.
    text = data.decode("utf-8", "surrogateescape").strip()
    decoder, items, at = json.JSONDecoder(), list[bytes](), 1
    try:
        while (at := _after_gap(text, at)) < len(text) and text[at] != "]":
            if len(items) == max_items:
                return items, _too_many(max_items)
            _, end = decoder.raw_decode(text, at)
            items.append(text[at:end].encode("utf-8", "surrogateescape"))
            at = end
    except (ValueError, RecursionError) as error:
        return items, Unreadable("unreadable_body", f"not JSON after {len(items)} messages: {error}")
    if at == len(text):
        return items, Unreadable("unreadable_body", f"the JSON array ends early, after {len(items)} messages")
    if at < len(text) - 1:
        return items, Unreadable("unreadable_body", f"more than one JSON array; {len(items)} messages are in the first")
    return items, None


def _after_gap(text: str, at: int) -> int:
    gap = _BETWEEN_ITEMS.match(text, at)
    return gap.end() if gap is not None else at


def _too_many(max_items: int) -> Unreadable:
    return Unreadable("too_many_messages", f"more than {max_items} messages in a request; those beyond are not read")


def read_struct(raw: bytes, form: type[S]) -> S:
    """One JSON object as `form`. Raises `Unreadable` saying what is wrong and where."""
    try:
        return msgspec.json.decode(raw, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.convert(lenient_json(raw), form)
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
