"""Decoding: from a record of the log to messages in one vocabulary, or rejects; and the table of families.

Pure: the same record under the same settings always gives the same result, so a replay can rebuild everything.
A new family is one module in `ingest.protocols` and its lines in the tables at the end of this one.
"""

import hashlib
import logging
import re
from collections.abc import Callable

from ingest.account_acts import ACCOUNT_ACTS, check_account_act
from ingest.erasure.deletions import DELETE_PERSON, read_deletion
from ingest.erasure.remaining import decode_remaining
from ingest.errors import IdentityRulesError, PlanError, Unreadable
from ingest.identity.acts import IDENTITY_ACTS, check_identity_act
from ingest.message import Decoded, Protocol, Reject
from ingest.plan.plan import SET_PLAN
from ingest.plan.reading import read_plan
from ingest.protocols import native, segment, sensors, webhook
from ingest.protocols.answers import (
    answer_native,
    answer_segment,
    answer_sensors,
    answer_sensors_debug,
    answer_sensors_image,
    answer_webhook,
    nothing_here,
)
from ingest.protocols.endpoint import GET_OR_POST, Endpoint
from ingest.protocols.reading import Reader
from ingest.record import CutBody, Damage, Record, Request
from ingest.settings import DecodeSettings

logger = logging.getLogger("onepath.decode")

FamilyDecoder = Callable[[Record, Request, DecodeSettings], Decoded]

# Acts that `warehouse` knows how to apply; the log keeps any, so that an older log can be read by a newer Onepath.
KNOWN_ACTS = frozenset({SET_PLAN, DELETE_PERSON, *IDENTITY_ACTS, *ACCOUNT_ACTS})


def find_endpoint(path: str) -> Endpoint | None:
    """What answers on a path; None when no family receives there."""
    endpoint = _ENDPOINTS.get(path) or _ENDPOINTS.get(path.rstrip("/"))
    if endpoint is not None:
        return endpoint
    if webhook.PATH.fullmatch(path.rstrip("/")):
        return _WEBHOOK
    # The clients of Sensors cut their address at its last slash and go on from there, so theirs may lie anywhere
    # but below the name of another family.
    if path[1:].partition("/")[0] in _PREFIXES:
        return None
    found = _SENSORS_BELOW_ANY.search(path.rstrip("/"))
    return _SENSORS[_kind_of(found[1])] if found else None


def recognise(path: str) -> Protocol | None:
    """Which family a receiving path belongs to."""
    endpoint = find_endpoint(path)
    return endpoint.protocol if endpoint is not None else None


def decode(record: Record, settings: DecodeSettings) -> Decoded:
    """The messages and rejects of one record; an act of an operator has neither, unless it cannot be read."""
    if record.act is not None:
        return _check_act(record, settings)
    if record.erased is not None:
        return decode_remaining(record, record.erased, lambda: _decode_request(record, settings))
    return _decode_request(record, settings)


def _decode_request(record: Record, settings: DecodeSettings) -> Decoded:
    request = record.request
    assert request is not None, "a record holds a request or an act"
    protocol = recognise(request.path)
    assert protocol is not None, f"the collector logged {request.path!r}, which belongs to no family"
    return _guarded(_DECODERS[protocol], protocol, record, request, settings)


def _guarded(
    read: FamilyDecoder, protocol: Protocol, record: Record, request: Request, settings: DecodeSettings
) -> Decoded:
    if request.cut is not None:
        return Decoded(rejects=[_cut_off(protocol, request, request.cut)])
    try:
        return read(record, request, settings)
    except Exception as error:  # a defect of ours must neither cost the data nor stop what comes after
        logger.exception("the decoder of %s failed; the request is kept as a reject", protocol)
        reader = Reader(protocol, record.received_at_us, settings)
        reader.refuse(Unreadable("decoder_failed", f"{type(error).__name__}: {error}"), request.body)
        return reader.decoded


def _cut_off(protocol: Protocol, request: Request, cut: CutBody) -> Reject:
    return Reject(
        index=0,
        protocol=protocol,
        record_type=None,
        event_name=None,
        reason="body_too_large",
        detail=f"a body of {cut.length} bytes; its first {len(request.body)} are kept",
        original=request.body,
        original_length=cut.length,
        original_sha256=cut.sha256,
    )


def _look_whether_it_opens(record: Record, settings: DecodeSettings) -> Decoded:
    assert record.request is not None
    return _guarded(segment.open_only, "segment", record, record.request, settings)


def refuse_undecoded(record: Record, settings: DecodeSettings) -> Decoded:
    """A record that kills the process which decodes it, as one reject: nothing of it is looked into."""
    if record.erased is not None:  # what is left of it was decoded when it was erased
        return decode(record, settings)
    if record.request is not None:
        protocol, original = recognise(record.request.path) or "onepath", record.request.body
    else:
        protocol, original = "onepath", repr(record.act).encode()
    reject = Reject(
        index=0,
        protocol=protocol,
        record_type=None,
        event_name=None,
        reason="decoder_failed",
        detail="the process that decodes died of this record; once that is mended, `onepath replay` brings it back",
        original=original[: settings.max_original_bytes],
        original_length=len(original),
        original_sha256=hashlib.sha256(original).hexdigest(),
    )
    return Decoded(rejects=[reject])


def refuse_damage(damage: Damage) -> Reject:
    """What cannot be read any more, as a reject in its place."""
    return Reject(
        index=0,
        protocol="onepath",
        record_type=None,
        event_name=None,
        reason="log_damaged",
        detail=damage.detail,
        original=b"",
        original_length=damage.length,
        original_sha256=damage.sha256,
    )


def _check_act(record: Record, settings: DecodeSettings) -> Decoded:
    assert record.act is not None
    reader = Reader("onepath", record.received_at_us, settings)
    if record.act.act not in KNOWN_ACTS:
        refusal = Unreadable("unknown_act", f"act {record.act.act!r} is none of {', '.join(sorted(KNOWN_ACTS))}")
        reader.refuse(refusal, repr(record.act.details).encode())
    elif record.act.act == SET_PLAN:
        try:
            read_plan(record.act.details.get("plan"), "plan")
        except PlanError as error:
            reader.refuse(Unreadable("unreadable_message", f"{SET_PLAN}: {error}"), repr(record.act.details).encode())
    elif (fault := check_account_act(record.act.act, record.act.details)) is not None:
        refusal = Unreadable("unreadable_message", f"{record.act.act}: {fault}")
        reader.refuse(refusal, repr(record.act.details).encode())
    elif record.act.act == DELETE_PERSON:
        try:
            read_deletion(record.act.details)
        except Unreadable as error:
            reader.refuse(error, repr(record.act.details).encode())
    elif record.act.act in IDENTITY_ACTS:
        try:
            check_identity_act(record.act)
        except IdentityRulesError as error:
            refusal = Unreadable("unreadable_message", f"{record.act.act}: {error}")
            reader.refuse(refusal, repr(record.act.details).encode())
    return reader.decoded


# The families: how each decodes, where it receives, and what it is answered.

_DECODERS: dict[Protocol, FamilyDecoder] = {
    "sensors": sensors.decode,
    "segment": segment.decode,
    "native": native.decode,
    "webhook": webhook.decode,
}
_SEGMENT = Endpoint("segment", answer_segment, look=_look_whether_it_opens)
_NATIVE = Endpoint("native", answer_native, look=decode)
_WEBHOOK = Endpoint("webhook", answer_webhook, look=decode, turn_away=webhook.turn_away)
_NOT_THERE = Endpoint("sensors", answer_sensors, GET_OR_POST, turn_away=nothing_here)
_SENSORS = {
    "sa": Endpoint("sensors", answer_sensors, GET_OR_POST),
    "sa.gif": Endpoint("sensors", answer_sensors_image, GET_OR_POST),
    "debug": Endpoint("sensors", answer_sensors_debug, GET_OR_POST, look=decode, is_dry_run=sensors.is_dry_run),
    "other": _NOT_THERE,
}
# Beside events these clients ask for configurations, for a WeChat openid, for deep links: a 404 lets them carry on.
_SENSORS_BELOW_ANY = re.compile(
    r"/(sa|sa\.gif|debug|config/(?:visualized/)?\w+\.conf|mp_login|sdk/deeplink/param|slink/config/query"
    r"|slink/ddeeplink|slink/dynamic/links|api/sdk/channel_tool/url)$"
)
_PREFIXES = frozenset({"segment", "rudder", "native", "webhook"})
_ENDPOINTS: dict[str, Endpoint] = {
    **{f"{prefix}/{name}": _SENSORS[name] for name in ("sa", "sa.gif", "debug") for prefix in ("", "/sensors")},
    **{f"{prefix}{path}": _SEGMENT for path in segment.PATHS for prefix in ("", "/segment", "/rudder")},
    **{f"{prefix}{path}": _NATIVE for path in native.PATHS for prefix in ("", "/native")},
}


def _kind_of(path: str) -> str:
    return path if path in _SENSORS else "other"
