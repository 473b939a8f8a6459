"""Pages that carry the browser clients: a page server on an origin of its own, and a chromium that opens them."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, Response

from tests.browser import open_browser
from tests.sdks.house import Run
from tests.sdks.scenario import ZONE, Json, story

FOLDER = Path(__file__).parent
PAGE = """<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>学校</title>{scripts}</head><body></body></html>
"""
SCRIPTS = {
    "/sensors_page": '<script src="/saying.js"></script><script type="module" src="/sensors_page.js"></script>',
    "/segment_page": '<script src="/sdks/@segment/analytics-next/dist/umd/index.js"></script>'
    '<script src="/saying.js"></script><script src="/segment_page.js"></script>',
}
# What Segment's browser client asks its own host for before it sends anything.
SETTINGS = {"integrations": {"Segment.io": {"apiKey": "key-s"}}, "plan": {"track": {"__default": {"enabled": True}}}}


class PageHandler(BaseHTTPRequestHandler):
    """Serves the pages, their scripts, the clients as installed, and Segment's settings."""

    def do_GET(self) -> None:  # the name is the base class's
        """Answer with a page, a script or the settings."""
        path = self.path.partition("?")[0]
        if path in SCRIPTS:
            self._answer(PAGE.format(scripts=SCRIPTS[path]).encode(), "text/html")
        elif path.startswith("/v1/projects/"):
            self._answer(json.dumps(SETTINGS).encode(), "application/json")
        elif path.endswith(".js"):
            folder = FOLDER / "node_modules" if path.startswith("/sdks/") else FOLDER
            self._answer((folder / path.removeprefix("/sdks/").lstrip("/")).read_bytes(), "text/javascript")
        else:
            self._answer(b"", "image/x-icon")

    def log_message(self, format: str, *arguments: object) -> None:  # the name is the base class's
        """Say nothing."""

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", f"{content_type}; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving_pages() -> Iterator[str]:
    """The page server, on a port of its own: another origin than the collector's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), PageHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def drive_pages(runs: Sequence[Run], url: str) -> dict[str, Json]:
    """Let every client tell its story in a page, one after the other; what each said it meant, by the run's name."""
    with serving_pages() as pages, open_browser() as browser:
        return {run.name: _drive_page(browser, pages, run, url) for run in runs}


def _drive_page(browser: Browser, pages: str, run: Run, url: str) -> Json:
    """Tell one story in a browser nobody has used before; what the collector refused is a failure too."""
    with browser.new_context(locale="zh-CN", timezone_id=ZONE) as context:
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
        page.on("response", lambda response: problems.extend(_refusal(response, url)))
        page.goto(f"{pages}/{run.driver[0]}")
        page.wait_for_function("() => Boolean(window.drive)")
        said: Json = page.evaluate("([story, url, mode]) => drive(story, url, mode)", [story(run.name), url, run.mode])
    said["failures"] += problems
    return said


def _refusal(response: Response, url: str) -> list[str]:
    is_refused = response.url.startswith(url) and not response.ok
    return [f"{response.status}: {response.request.method} {response.url}"] if is_refused else []
