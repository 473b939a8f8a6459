"""Sending fuzzed requests: into the collector's own application inside this process, many at once.

Each request comes from an address of its own, which the log keeps: so every record can be led back to its request.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ingest.receiving.asgi import ASGIApp
from tests.fuzz_requests import Sent

CONCURRENT = 64
_HOST = (b"host", b"127.0.0.1:8106")
_GONE_SHARE = 0.01


@dataclass(frozen=True)
class Answered:
    """What came back; `status` is None when the sender hung up before its request was whole."""

    status: int | None
    body: bytes = b""


def address_of(number: int) -> str:
    """The address that request `number` comes from."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def number_of(address: str) -> int:
    """Inverse of `address_of`."""
    _, high, middle, low = map(int, address.split("."))
    return high << 16 | middle << 8 | low


async def send_in_process(app: ASGIApp, sent: Sent, number: int, rng: random.Random) -> Answered:
    """Ask the application as uvicorn would. Whatever it raises goes through."""
    messages = list(_body_messages(sent.body, rng))
    if rng.random() < _GONE_SHARE:
        messages[-1] = {"type": "http.disconnect"}
    started: dict[str, Any] = {}
    body = bytearray()

    async def receive() -> MutableMapping[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(3600)  # a sender that waits for its answer
        raise AssertionError("the application waited for more than the whole request")

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(_scope(sent, number), receive, send)
    return Answered(started.get("status"), bytes(body))


def _scope(sent: Sent, number: int) -> dict[str, Any]:
    names = {name for name, _ in sent.headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": sent.method,
        "scheme": "http",
        "path": unquote(sent.path),
        "raw_path": sent.path.encode("ascii"),
        "query_string": sent.query.encode("latin-1"),
        "root_path": "",
        "headers": [*sent.headers] if b"host" in names else [_HOST, *sent.headers],
        "client": (address_of(number), 40_000),
        "server": ("127.0.0.1", 8106),
        "state": {},
    }


def _body_messages(body: bytes, rng: random.Random) -> Iterator[MutableMapping[str, Any]]:
    """The body in one to three pieces, as the network cuts it."""
    cuts = sorted(rng.randint(0, len(body)) for _ in range(rng.choice((0, 0, 1, 2))))
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        yield {"type": "http.request", "body": body[start:end], "more_body": end < len(body)}
        if end == len(body):
            return


@asynccontextmanager
async def started(app: ASGIApp) -> AsyncIterator[None]:
    """The application's start and orderly end."""
    incoming, outgoing = asyncio.Queue[MutableMapping[str, Any]](), asyncio.Queue[MutableMapping[str, Any]]()
    task = asyncio.ensure_future(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, incoming.get, outgoing.put)
    )
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        with suppress(asyncio.CancelledError):
            await task


async def send_many(
    app: ASGIApp,
    numbers: Iterator[int],
    request: Callable[[int], tuple[Sent, random.Random]],
    answered: Callable[[int, Sent, Answered | Exception], None],
) -> None:
    """Ask all of them, `CONCURRENT` at a time; an exception is what the answer to a defect looks like."""

    async def sender() -> None:
        for number in numbers:
            sent, rng = request(number)
            try:
                answer: Answered | Exception = await send_in_process(app, sent, number, rng)
            except Exception as error:  # noqa: BLE001  # what was raised is the finding
                answer = error
            answered(number, sent, answer)

    async with started(app):
        await asyncio.gather(*(sender() for _ in range(CONCURRENT)))
