"""The guard in front of both services: which Host names are answered, and who may ask."""

import base64
import binascii
import hmac

from ingest.receiving.asgi import ASGIApp, Receive, Scope, Send

OPEN_PATHS = frozenset({"/health", "/ready"})


class Guard:
    """ASGI middleware. `hosts` None answers any Host; `token` empty lets anyone ask."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, token: str = "") -> None:
        self._app = app
        self._hosts = hosts
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._hosts is not None and _host_name(headers.get(b"host", b"")) not in self._hosts:
            detail = b'{"detail":"this Host name is not answered; see the setting allowed_hosts"}'
            await _refuse(send, 421, detail, [])
        elif self._token and scope["path"] not in OPEN_PATHS and not self._knows(headers.get(b"authorization", b"")):
            detail = b'{"detail":"send the token as a bearer token, or as the password of basic authentication"}'
            await _refuse(send, 401, detail, [(b"www-authenticate", b'Basic realm="Onepath", charset="UTF-8"')])
        else:
            await self._app(scope, receive, send)

    def _knows(self, authorization: bytes) -> bool:
        scheme, _, credentials = authorization.partition(b" ")
        if scheme.lower() == b"basic":
            try:
                credentials = base64.b64decode(credentials, validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return False
        elif scheme.lower() != b"bearer":
            return False
        return hmac.compare_digest(credentials.strip(), self._token)


def _host_name(host: bytes) -> str:
    text = host.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


async def _refuse(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fixed + headers})
    await send({"type": "http.response.body", "body": body})
