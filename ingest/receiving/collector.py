"""The collector: HTTP in, log out.

Receiving paths are plain ASGI in front of the FastAPI router (three times the requests per second); everything else,
such as `/health` and the documentation, is FastAPI's. A request is answered only after its record is on disk.
"""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from ingest.decode import find_endpoint
from ingest.errors import LogUnavailable
from ingest.log.writer import LogWriter
from ingest.message import Decoded, Protocol
from ingest.protocols.answers import Answer
from ingest.protocols.endpoint import Endpoint, RawHeaders
from ingest.protocols.unpacking import is_packed, unpack_small
from ingest.receiving.asgi import HANG_UP, ASGIApp, Receive, Scope, Send
from ingest.receiving.meters import HUNG_UP, CollectorMeters
from ingest.receiving.refusals import refusal_to
from ingest.receiving.remote_address import TrustedProxies
from ingest.record import CutBody, Record, Request
from ingest.settings import CollectorSettings, DecodeSettings

KEPT_HEADERS = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-type",
        "dry-run",
        "origin",
        "referer",
        "user-agent",
        "x-forwarded-for",
        "x-retry-count",
    }
)
_KEPT = {name.encode(): name for name in KEPT_HEADERS}
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")
_RETRY_AFTER_IS_READABLE = (b"access-control-expose-headers", b"retry-after")
_ALLOWED_HEADERS = (
    b"anonymousid, authorization, content-encoding, content-type, dry-run, x-requested-with, x-retry-count"
)
_PREFLIGHT = [
    _ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-max-age", b"86400"),
]
_HEADER_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")

# What may take longer to look at goes to a thread, as the loop must go on answering the others meanwhile.
_READ_UNSEEN_BYTES = 4 << 10
_READ_IN_LOOP_BYTES = 128 << 10
_READ_IN_LOOP_VALUES = 2000
_GUNZIPPED_IN_LOOP_BYTES = 8 << 10
_UNPACKED_IN_LOOP_BYTES = 64 << 10
# Their own, so that nothing else waits behind large bodies; two, as each holds a decompressed body in memory.
_LOOKING_THREADS = 2


class ClientGone(Exception):
    """The sender hung up before its request was whole; it will come again."""


class Collector:
    """The receiving application; `fallback` answers what is not a receiving path.

    `turned_away` counts what was answered without being kept, by family and status.
    """

    def __init__(
        self,
        writer: LogWriter,
        settings: CollectorSettings,
        decode_settings: DecodeSettings,
        fallback: ASGIApp,
        meters: CollectorMeters | None = None,
    ) -> None:
        self.turned_away: Counter[tuple[Protocol, int]] = Counter()
        self._writer = writer
        self._settings = settings
        self._decode_settings = decode_settings
        self._fallback = fallback
        self._meters = meters or CollectorMeters()
        self._held_bytes = 0
        self._lookers = ThreadPoolExecutor(_LOOKING_THREADS, "look")
        self._proxies = TrustedProxies(settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = find_endpoint(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._fallback(scope, receive, send)
        elif scope["method"] in endpoint.methods:
            await self._receive(endpoint, scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _send_preflight(send, scope["headers"])
        else:
            methods = " or ".join(sorted(endpoint.methods)).encode()
            await _send(send, Answer(405, b'{"error":"this path takes ' + methods + b'"}', "application/json"))

    async def _receive(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        family, began_s, body_bytes = self._meters.families[endpoint.protocol], perf_counter(), 0
        answer: Answer | None
        try:
            try:
                body, cut = await self._read_body(receive)
                began_s, body_bytes = perf_counter(), len(body)
                answer = await self._take(endpoint, self._request(scope, body, cut), scope["headers"])
            except ClientGone:
                return
            except LogUnavailable as error:
                answer = refusal_to(endpoint.protocol, scope["headers"], error, self._settings.retry_after_s)
            family.count(answer.status if answer is not None else HUNG_UP, body_bytes, perf_counter() - began_s)
            if answer is not None:
                await _send(send, answer)
            else:
                await _hang_up(scope, receive, send)
        finally:
            self._held_bytes -= body_bytes  # held since it was read

    async def _take(self, endpoint: Endpoint, request: Request, headers: RawHeaders) -> Answer:
        if endpoint.turn_away is not None:
            answer = endpoint.turn_away(request, headers, self._decode_settings)
            if answer is not None:
                self.turned_away[endpoint.protocol, answer.status] += 1
                return answer
        if endpoint.is_dry_run(request):
            decoded = await self._look(endpoint, Record(self._writer.now_us(), request))
            return endpoint.answer(request, decoded, None)
        received_at_us, kept = self._writer.append_soon(request)
        # While the writer's thread waits for the disk, and by the record's own arrival: so the ids that are told are
        # those that will be found.
        decoded = await self._look(endpoint, Record(received_at_us, request))
        position = await kept
        if decoded is not None:
            family = self._meters.families[endpoint.protocol]
            family.accepted += len(decoded.messages)
            family.rejected += len(decoded.rejects)
        return endpoint.answer(request, decoded, position)

    async def _look(self, endpoint: Endpoint, record: Record) -> Decoded | None:
        if endpoint.look is None:
            return None
        if record.request is None or _is_quick(endpoint, record.request):
            return endpoint.look(record, self._decode_settings)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._lookers, endpoint.look, record, self._decode_settings)

    def _request(self, scope: Scope, body: bytes, cut: CutBody | None) -> Request:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            if (kept := _KEPT.get(name)) is not None:
                text = value.decode("latin-1")
                headers[kept] = f"{headers[kept]}, {text}" if kept == "x-forwarded-for" and kept in headers else text
        peer = scope["client"][0] if scope.get("client") else ""
        if self._proxies and "x-forwarded-for" in headers:
            peer = self._proxies.remote_address(peer, headers["x-forwarded-for"])
        return Request(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, peer, body, cut
        )

    async def _read_body(self, receive: Receive) -> tuple[bytes, CutBody | None]:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body: bytes = message.get("body", b"")
            if len(body) <= self._settings.max_body_bytes:
                self._hold(len(body))
                return body, None
        return await self._read_long_body(message, receive)

    async def _read_long_body(
        self, message: MutableMapping[str, Any], receive: Receive
    ) -> tuple[bytes, CutBody | None]:
        limit = self._settings.max_body_bytes
        chunks, length, held, digest = list[bytes](), 0, 0, None
        try:
            while True:
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                length += len(chunk)
                if digest is not None:
                    digest.update(chunk)
                elif length <= limit:
                    self._hold(len(chunk))
                    held += len(chunk)
                    chunks.append(chunk)
                else:
                    kept = b"".join(chunks) + chunk
                    digest, chunks = hashlib.sha256(kept), [kept[: self._settings.kept_body_bytes]]
                if not message.get("more_body", False):
                    break
                message = await receive()
        except BaseException:
            self._held_bytes -= held
            raise
        body = b"".join(chunks)
        self._held_bytes += len(body) - held
        return body, CutBody(length, digest.hexdigest()) if digest is not None else None

    def _hold(self, byte_count: int) -> None:
        """Count bytes that stay in memory until their request is answered. Raises `LogUnavailable`, holding nothing."""
        held_bytes = self._held_bytes + byte_count
        if held_bytes + self._writer.waiting_bytes > self._settings.max_waiting_bytes > 0:
            raise self._writer.refusal("memory_full", f"{self._held_bytes} bytes of bodies are not answered yet")
        self._held_bytes = held_bytes


def _is_quick(endpoint: Endpoint, request: Request) -> bool:
    """Whether looking at a request is sure to take but milliseconds, however it was made up."""
    if endpoint.protocol == "sensors":  # whose bodies are packed within: what they hold is not to be seen from here
        return False
    body = request.body
    if is_packed(body, request.headers.get("content-encoding", "")):
        plain = unpack_small(body, _UNPACKED_IN_LOOP_BYTES) if len(body) <= _GUNZIPPED_IN_LOOP_BYTES else None
        if plain is None:
            return False
        body = plain
    if len(body) <= _READ_UNSEEN_BYTES:
        return True
    # Tiny values, a message each at worst, cost more than their bytes.
    return len(body) <= _READ_IN_LOOP_BYTES and body.count(b",") + body.count(b"\n") <= _READ_IN_LOOP_VALUES


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        _ANY_ORIGIN,
    ]
    if answer.retry_after_s:
        headers += [(b"retry-after", str(answer.retry_after_s).encode()), _RETRY_AFTER_IS_READABLE]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _hang_up(scope: Scope, receive: Receive, send: Send) -> None:
    extension = scope.get("extensions", {}).get(HANG_UP)
    if extension is None:  # a server that cannot: an answer without its body comes nearest
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"1")]})
        return
    extension["call"]()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_preflight(send: Send, headers: RawHeaders) -> None:
    # Whatever a client's next version wants to send is allowed: no answer depends on credentials of a browser.
    wanted = next((value for name, value in headers if name == b"access-control-request-headers"), b"")
    allowed = wanted if _HEADER_NAMES.fullmatch(wanted) else _ALLOWED_HEADERS
    answer = [*_PREFLIGHT, (b"access-control-allow-headers", allowed), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 204, "headers": answer})
    await send({"type": "http.response.body", "body": b""})
