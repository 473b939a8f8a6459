"""A real browser for the tests: Debian's chromium, driven by playwright, with everything a page did on record."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the page itself may speak to the network.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """One opened page, and what it did: requested addresses; console messages, script errors and failed requests."""

    page: Page
    requested_urls: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements, spaces joined to one, whatever they consist of."""
        return [" ".join(text.split()) for text in self.page.locator(selector).all_text_contents()]

    def attributes(self, selector: str, name: str) -> list[str | None]:
        """One attribute of all elements, in the order of the page."""
        found: list[str | None] = self.page.locator(selector).evaluate_all(
            "(elements, name) => elements.map(element => element.getAttribute(name))", name
        )
        return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, url: str, *, locale: str = "en-US", width_px: int = 1400) -> Iterator[Visit]:
    """The page at `url`, loaded, as somebody with that language and window sees it."""
    with browser.new_context(locale=locale, viewport={"width": width_px, "height": 900}) as context:
        page = context.new_page()
        visited = Visit(page)
        page.on("request", lambda request: visited.requested_urls.append(request.url))
        page.on("requestfailed", lambda request: visited.problems.append(f"failed: {request.url}"))
        page.on("console", lambda message: visited.problems.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: visited.problems.append(f"error: {error}"))
        page.goto(url)
        yield visited


@cache
def find_chromium() -> str:
    """The path of a chromium, installed with apt-get where there is none; raises RuntimeError where that cannot be."""
    found = _on_path()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "chromium"]):
            subprocess.run(command, check=False, capture_output=True)
        found = _on_path()
    if found is None:
        raise RuntimeError("the board's tests need a browser: install Debian's package chromium and run them again")
    return found


def _on_path() -> str | None:
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
