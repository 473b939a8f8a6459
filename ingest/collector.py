"""The collector: HTTP in, log out.

Receiving paths are plain ASGI in front of the FastAPI router (three times the requests per second); everything else,
such as `/health` and the documentation, is FastAPI's. A request is answered only after its record is on disk.
"""

import asyncio
import hashlib

from ingest.answers import Answer, answer_to, refusal_to
from ingest.asgi import ASGIApp, Receive, Scope, Send
from ingest.bodies import GZIP_MAGIC
from ingest.decode import decode, recognise
from ingest.errors import LogUnavailable
from ingest.log_writer import LogWriter
from ingest.message import Decoded, Protocol
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
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, content-encoding, dry-run, x-requested-with, x-retry-count",
    ),
    (b"access-control-max-age", b"86400"),
]


_DECODED_IN_LOOP_BYTES = 128 << 10


class ClientGone(Exception):
    """The sender hung up before its request was whole; it will come again."""


class Collector:
    """The receiving application; `fallback` answers what is not a receiving path."""

    def __init__(
        self, writer: LogWriter, settings: CollectorSettings, decode_settings: DecodeSettings, fallback: ASGIApp
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._decode_settings = decode_settings
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        protocol = recognise(scope["path"]) if scope["type"] == "http" else None
        if protocol is None:
            await self._fallback(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _send(send, Answer(204, b"", "text/plain"))
        elif scope["method"] == "POST" or (scope["method"] == "GET" and protocol == "sensors"):
            try:
                await _send(send, await self._take(protocol, await self._read(scope, receive)))
            except ClientGone:
                return
        else:
            await _send(send, Answer(405, b'{"error":"this path takes POST"}', "application/json"))

    async def _take(self, protocol: Protocol, request: Request) -> Answer:
        preview = await self._preview(protocol, request)
        try:
            position = await self._writer.append_async(request)
        except LogUnavailable as error:
            return refusal_to(protocol, str(error))
        return answer_to(protocol, request, preview, position)

    async def _preview(self, protocol: Protocol, request: Request) -> Decoded | None:
        # Sensors clients are answered 200 whatever they sent, so nothing needs to be decoded for them here.
        if protocol == "sensors":
            return None
        record = Record(self._writer.now_us(), request)
        if len(request.body) <= _DECODED_IN_LOOP_BYTES and request.body[:2] != GZIP_MAGIC:
            return decode(record, self._decode_settings)
        # A large body takes long to decode, and the loop must go on answering the others meanwhile.
        return await asyncio.to_thread(decode, record, self._decode_settings)

    async def _read(self, scope: Scope, receive: Receive) -> Request:
        limit = self._settings.max_body_bytes
        chunks, length, digest = list[bytes](), 0, None
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            length += len(chunk)
            if digest is not None:
                digest.update(chunk)
            elif length <= limit:
                chunks.append(chunk)
            else:
                kept = b"".join(chunks) + chunk
                digest, chunks = hashlib.sha256(kept), [kept[: self._settings.kept_body_bytes]]
            if not message.get("more_body", False):
                break
        cut = CutBody(length, digest.hexdigest()) if digest is not None else None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers={name: value for name, value in headers.items() if name in KEPT_HEADERS},
            remote_address=scope["client"][0] if scope.get("client") else "",
            body=b"".join(chunks),
            cut=cut,
        )


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *_CORS,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
