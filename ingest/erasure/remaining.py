"""What is left of a record of which messages were erased, decoded: with the indexes that it had before.

A body from which messages were taken holds the others one after the other; the record knows which are missing.
"""

from collections.abc import Callable, Sequence
from itertools import count, islice

import msgspec

from ingest.message import Decoded
from ingest.record import Erased, Record

_KEPT: "msgspec.json.Decoder[Decoded]" = msgspec.json.Decoder(Decoded)


def decode_remaining(record: Record, erased: Erased, decode_request: Callable[[], Decoded]) -> Decoded:
    """The messages and rejects that are left; `decode_request` reads the record's request, if it still has one."""
    if erased.kept is not None:
        return _KEPT.decode(erased.kept)
    return numbered_as_before(decode_request(), erased.indexes) if record.request is not None else Decoded()


def keep_decoded(decoded: Decoded) -> bytes:
    """Inverse of reading `Erased.kept`."""
    return msgspec.json.encode(decoded)


def numbered_as_before(decoded: Decoded, missing: Sequence[int]) -> Decoded:
    """The same messages and rejects, as if those at `missing` still stood between them."""
    found = [each.index for each in decoded.messages[-1:]] + [each.index for each in decoded.rejects]
    gone = frozenset(missing)
    there = list(islice((index for index in count() if index not in gone), max(found, default=-1) + 1))
    return Decoded(
        [msgspec.structs.replace(each, index=there[each.index]) for each in decoded.messages],
        [msgspec.structs.replace(each, index=there[each.index]) for each in decoded.rejects],
        decoded.plain_bytes,
    )
