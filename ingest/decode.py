"""Decoding: from a record of the log to messages in one vocabulary, or rejects.

Pure: the same record under the same settings always gives the same result, so a replay can rebuild everything.
"""

import logging
from collections.abc import Callable

from ingest.errors import Unreadable
from ingest.message import Decoded, Protocol, Reject
from ingest.protocols import native, segment, sensors
from ingest.protocols.reading import Reader
from ingest.record import Record, Request
from ingest.settings import DecodeSettings

logger = logging.getLogger("onepath.decode")

FamilyDecoder = Callable[[Record, Request, DecodeSettings], Decoded]

_PATHS: dict[str, Protocol] = {
    **dict.fromkeys(sensors.PATHS, "sensors"),
    **dict.fromkeys(segment.PATHS, "segment"),
    **dict.fromkeys(native.PATHS, "native"),
}
_DECODERS: dict[Protocol, FamilyDecoder] = {
    "sensors": sensors.decode,
    "segment": segment.decode,
    "native": native.decode,
}
# Acts that `warehouse` knows how to apply; the log keeps any, so that an older log can be read by a newer Onepath.
KNOWN_ACTS = frozenset({"retract_link"})


def recognise(path: str) -> Protocol | None:
    """Which family a receiving path belongs to; each also answers below its own name, as in `/segment/v1/batch`."""
    path = path.rstrip("/")
    protocol = _PATHS.get(path)
    if protocol is None and path.count("/") > 1:
        family, _, rest = path[1:].partition("/")
        protocol = _PATHS.get("/" + rest)
        return protocol if protocol == family else None
    return protocol


def decode(record: Record, settings: DecodeSettings) -> Decoded:
    """The messages and rejects of one record; an act of an operator has neither, unless nobody knows it."""
    if record.act is not None:
        return _check_act(record, settings)
    request = record.request
    assert request is not None, "a record holds a request or an act"
    protocol = recognise(request.path)
    assert protocol is not None, f"the collector logged {request.path!r}, which belongs to no family"
    if request.cut is not None:
        reject = Reject(
            index=0,
            protocol=protocol,
            record_type=None,
            event_name=None,
            reason="body_too_large",
            detail=f"a body of {request.cut.length} bytes; its first {len(request.body)} are kept",
            original=request.body,
            original_length=request.cut.length,
            original_sha256=request.cut.sha256,
        )
        return Decoded(rejects=[reject])
    try:
        return _DECODERS[protocol](record, request, settings)
    except Exception as error:  # a defect of ours must neither cost the data nor stop what comes after
        logger.exception("the decoder of %s failed; the request is kept as a reject", protocol)
        reader = Reader(protocol, record.received_at_us, settings)
        reader.refuse(Unreadable("decoder_failed", f"{type(error).__name__}: {error}"), request.body)
        return reader.decoded


def _check_act(record: Record, settings: DecodeSettings) -> Decoded:
    assert record.act is not None
    reader = Reader("onepath", record.received_at_us, settings)
    if record.act.act not in KNOWN_ACTS:
        refusal = Unreadable("unknown_act", f"act {record.act.act!r} is none of {', '.join(sorted(KNOWN_ACTS))}")
        reader.refuse(refusal, repr(record.act.details).encode())
    return reader.decoded
