"""What each family of senders is answered, good or bad.

The forms are what the real clients read: a status alone for Sensors and Segment, a verdict per message for the
native form, counts for webhooks.
"""

import base64
from typing import NamedTuple

import msgspec

from ingest.errors import RejectReason
from ingest.message import Decoded, Message, Reject, message_digest
from ingest.record import Position, Request

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

_WHOLE_BODY: frozenset[RejectReason] = frozenset(
    {"unreadable_body", "unreadable_message", "decompressed_too_large", "body_too_large"}
)


class Answer(NamedTuple):
    """An HTTP answer; `retry_after_s` becomes the header when it is not 0."""

    status: int
    body: bytes
    content_type: str
    retry_after_s: int = 0


_SUCCESS = Answer(200, b'{"success":true}', "application/json")
_TAKEN = Answer(200, b"", "text/plain")
_PIXEL = Answer(200, PIXEL, "image/gif")
_MOST_REFUSALS_TOLD = 10
# The first digit of a UUID's fourth group says which kind it is: 8, 9, a or b, by the two bits that are its own.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def answer_sensors(_request: Request, _decoded: Decoded | None, _position: Position | None) -> Answer:
    """200 whatever the events are worth: several of these clients throw whole batches away on anything else."""
    return _TAKEN


def answer_sensors_image(_request: Request, _decoded: Decoded | None, _position: Position | None) -> Answer:
    """As `answer_sensors`, for an image."""
    return _PIXEL


def answer_sensors_debug(request: Request, decoded: Decoded | None, _position: Position | None) -> Answer:
    """Empty when all is well, else each refusal as text, which the clients print.

    Never 400, which the Node client takes for "no batches in debug mode". The browser's debug sender (the only one
    that asks by GET) shows nothing but the body of a 200, and nothing at all when that is an empty object.
    """
    assert decoded is not None
    if not decoded.rejects:
        return Answer(200, b"{}", "application/json")
    texts = [f"message {each.index}: {each.reason}: {each.detail}" for each in decoded.rejects]
    if request.method == "GET":
        return Answer(200, msgspec.json.encode({"rejected": texts[:_MOST_REFUSALS_TOLD]}), "application/json")
    status = 413 if request.cut else 422
    return Answer(
        status, "\n".join(texts[:_MOST_REFUSALS_TOLD]).encode("utf-8", "replace"), "text/plain; charset=utf-8"
    )


def answer_segment(request: Request, decoded: Decoded | None, _position: Position | None) -> Answer:
    """Success for whatever opens as a batch: a refusal would be told to the application as lost data.

    What is wrong with a message of it is found when it is loaded, and kept as a reject. Exactly 200, and `code` and
    `message` on a refusal: RudderStack's Python client wants them.
    """
    reject = next((each for each in decoded.rejects if each.reason in _WHOLE_BODY), None) if decoded else None
    if reject is None:
        return _SUCCESS
    body = msgspec.json.encode({"success": False, "code": reject.reason, "message": reject.detail})
    return Answer(413 if request.cut else 400, body, "application/json")


def answer_native(request: Request, decoded: Decoded | None, position: Position | None) -> Answer:
    """A verdict on every message, in the order of the request, with the id under which it is found."""
    assert decoded is not None
    assert position is not None
    verdicts = [(message.index, _accepted(message, position)) for message in decoded.messages]
    if decoded.rejects:
        verdicts += [(reject.index, _rejected(reject)) for reject in decoded.rejects]
        verdicts.sort()
    results = ",".join([verdict for _, verdict in verdicts])
    body = f'{{"accepted":{len(decoded.messages)},"rejected":{len(decoded.rejects)},"results":[{results}]}}'.encode()
    status = 200 if decoded.messages or not decoded.rejects else 413 if request.cut else 400
    return Answer(status, body, "application/json")


def answer_webhook(request: Request, decoded: Decoded | None, _position: Position | None) -> Answer:
    """Counts, and why the first refusals; 200 even then, as senders switch a hook off that answers otherwise."""
    assert decoded is not None
    reasons = [f"{each.reason}: {each.detail}" for each in decoded.rejects[:_MOST_REFUSALS_TOLD]]
    answer = {"accepted": len(decoded.messages), "rejected": len(decoded.rejects), "reasons": reasons}
    return Answer(413 if request.cut else 200, msgspec.json.encode(answer), "application/json")


def nothing_here(_request: Request, _headers: object, _settings: object) -> Answer:
    """404: the Sensors clients that ask for a configuration carry on with their own, and do not ask again at once."""
    return Answer(404, b"{}", "application/json")


def _accepted(message: Message, position: Position) -> str:
    # Written by hand: a hundred of these are told in the time that ten take as structs.
    kind = "call_id" if message.event_name is None else "event_id"
    name = _uuid_text(message_digest(message, position).hex())
    return f'{{"index":{message.index},"status":"accepted","{kind}":"{name}"}}'


def _uuid_text(digits: str) -> str:
    """As `str(uuid_of(...))` of the same digest."""
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _rejected(reject: Reject) -> str:
    verdict = {"index": reject.index, "status": "rejected", "reason": reject.reason, "detail": reject.detail}
    return msgspec.json.encode(verdict).decode()
