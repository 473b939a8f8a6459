"""Refusals: what a sender is told when its request cannot be kept now, though nothing is wrong with it.

Each family gets the form on which its clients keep their data and come again, where any form does; which client does
what is in docs/sdk/refusals.md.
"""

import msgspec

from ingest.errors import LogUnavailable
from ingest.message import Protocol
from ingest.protocols.answers import Answer
from ingest.protocols.endpoint import RawHeaders

# WeChat sets it, and no mini program can change it.
_MINI_PROGRAM_REFERER = b"https://servicewechat.com/"


def refusal_to(protocol: Protocol, headers: RawHeaders, why: LogUnavailable, retry_after_s: int) -> Answer | None:
    """The answer that makes this client keep its data; None: hang up without one."""
    message = f"nothing is wrong with this request, but it cannot be kept now ({why.reason}): send it again later"
    body = msgspec.json.encode({"status": "unavailable", "code": why.reason, "message": message})
    if protocol == "sensors":
        # The mini program takes any answer at all for success, and only a broken connection for a failure.
        # The apps delete on 429, and on every other 4xx but 403 and 404; none of the family reads Retry-After.
        return None if _is_mini_program(headers) else Answer(503, body, "application/json")
    # 429 with Retry-After makes Segment's clients wait without counting tries, for other 5xx they give up in minutes.
    status = 429 if protocol == "segment" else 503
    return Answer(status, body, "application/json", retry_after_s)


def _is_mini_program(headers: RawHeaders) -> bool:
    return any(name == b"referer" and value.startswith(_MINI_PROGRAM_REFERER) for name, value in headers)
