"""Unpacking: from the bytes of a request to the text inside, whatever the headers claim.

Content types lie and gzip comes without its header, so form, base64 and gzip are told by path, field names and first
bytes (seen in recorded traffic of the real clients).
"""

import base64
import binascii
import zlib
from urllib.parse import parse_qsl

from ingest.errors import Unreadable

GZIP_MAGIC = b"\x1f\x8b"
# Each member costs a copy of what follows it, so their number must not be the sender's choice.
_MOST_GZIP_MEMBERS = 100
# No JSON and no form that clients send begins with these.
_ZLIB_MAGICS = frozenset({b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"})


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
