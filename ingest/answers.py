"""What each family of senders is answered, good or bad.

The forms are what the real clients read: a status alone for Sensors and Segment, a verdict per message for the
native form.
"""

import base64
from typing import NamedTuple

import msgspec

from ingest.errors import RejectReason
from ingest.message import Decoded, Message, Protocol, Reject, message_id
from ingest.record import Position, Request

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

_WHOLE_BODY: frozenset[RejectReason] = frozenset(
    {"unreadable_body", "unreadable_message", "decompressed_too_large", "body_too_large"}
)


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str


class MessageAnswer(msgspec.Struct, omit_defaults=True):
    """The native form's verdict on one message, in the order of the request."""

    index: int
    status: str
    event_id: str | None = None
    reason: str | None = None
    detail: str | None = None


def answer_to(protocol: Protocol, request: Request, decoded: Decoded | None, position: Position) -> Answer:
    """The answer to a request whose record is on disk at `position`; `decoded` is None where nobody needs it."""
    if decoded is None:
        return _sensors(request)
    return _native(decoded, position, request) if protocol == "native" else _segment(decoded, request)


def refusal_to(protocol: Protocol, reason: str) -> Answer:
    """The log cannot be written: the form of refusal that makes a client keep its data, where any does."""
    body = msgspec.json.encode({"status": "unavailable", "protocol": protocol, "detail": reason})
    return Answer(503, body, "application/json")


def _sensors(request: Request) -> Answer:
    if request.path.endswith(".gif"):
        return Answer(200, PIXEL, "image/gif")
    return Answer(200, b"", "text/plain")


def _segment(decoded: Decoded, request: Request) -> Answer:
    # A readable batch of bad messages is a success to this client: they are kept as rejects, and a refusal would be
    # told to the application as lost data.
    reject = next((reject for reject in decoded.rejects if reject.reason in _WHOLE_BODY), None)
    if decoded.messages or reject is None:
        return Answer(200, b'{"success":true}', "application/json")
    body = msgspec.json.encode({"success": False, "code": reject.reason, "message": reject.detail})
    return Answer(413 if request.cut else 400, body, "application/json")


def _native(decoded: Decoded, position: Position, request: Request) -> Answer:
    verdicts = [_accepted(message, position) for message in decoded.messages]
    verdicts += [_rejected(reject) for reject in decoded.rejects]
    verdicts.sort(key=lambda verdict: verdict.index)
    body = msgspec.json.encode(
        {"accepted": len(decoded.messages), "rejected": len(decoded.rejects), "results": verdicts}
    )
    status = 200 if decoded.messages or not decoded.rejects else 413 if request.cut else 400
    return Answer(status, body, "application/json")


def _accepted(message: Message, position: Position) -> MessageAnswer:
    event_id = str(message_id(message, position._replace(message_index=message.index)))
    return MessageAnswer(message.index, "accepted", event_id=event_id)


def _rejected(reject: Reject) -> MessageAnswer:
    return MessageAnswer(reject.index, "rejected", reason=reject.reason, detail=reject.detail)
