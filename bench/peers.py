"""The peers of the collector: applications that read the same bodies and do nothing with them."""

from fastapi import FastAPI, Request

from ingest.receiving.asgi import Receive, Scope, Send

fastapi_app = FastAPI()


@fastapi_app.post("/{path:path}")
async def read_body(request: Request) -> dict[str, bool]:
    """Read the body, keep nothing, answer."""
    await request.body()
    return {"success": True}


async def bare_app(scope: Scope, receive: Receive, send: Send) -> None:
    """The same without a framework: the limit of the server under both."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"16")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"success":true}'})
