"""The board's pages: one HTML page with its stylesheet and icon, and nothing from any other host."""

import json
import shlex
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.board.charts import draw_heat_map, draw_path
from api.board.formats import Formats
from api.board.reading import BoardNumbers, read_numbers
from api.board.texts import TEXTS, Language, choose_language, stage_label
from api.board.triangle import cohorts_of
from api.routes.endpoints import ServerParts
from api.settings import Settings

MAX_COHORTS = 13
"""Weeks of retention on the page: a quarter; the API gives all of them."""
FOLDER = Path(__file__).parent
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def create_board(server: ServerParts) -> APIRouter:
    """The routes of the board; none of them is part of the API's description."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page(lang: str | None = None, accept_language: Annotated[str, Header()] = "") -> HTMLResponse:
        """Sales path and retention, in the reader's language."""
        language = choose_language(lang, accept_language)
        html = render_page(server.settings, read_numbers(server), language, server.loading.problem)
        headers = {
            "cache-control": "no-store",
            "content-language": TEXTS[language]["html_lang"],
            "vary": "accept-language",
        }
        return HTMLResponse(html, headers=SECURITY_HEADERS | headers)

    @router.get("/board.css")
    def stylesheet() -> FileResponse:
        """How the page looks."""
        return FileResponse(FOLDER / "static" / "board.css", media_type="text/css", headers=SECURITY_HEADERS)

    @router.get("/board.svg")
    def icon() -> FileResponse:
        """The page's icon."""
        return FileResponse(FOLDER / "static" / "board.svg", media_type="image/svg+xml", headers=SECURITY_HEADERS)

    return router


def render_page(settings: Settings, numbers: BoardNumbers, language: Language, loading_problem: str | None) -> str:
    """The whole page as HTML."""
    project = settings.project.project
    return _TEMPLATES.get_template("board.html").render(
        text=TEXTS[language],
        show=Formats(language, project.timezone),
        stage_label=lambda name: stage_label(name, language),
        project=project,
        numbers=numbers,
        loading_problem=loading_problem,
        rejects_path=f"/api/v1/projects/{quote(project.name, safe='')}/rejects",
        collector_url=collector_url(settings),
        first_event=first_event_command(settings),
        max_cohorts=MAX_COHORTS,
        cohorts_of=cohorts_of,
        draw_path=draw_path,
        draw_heat_map=draw_heat_map,
    )


def collector_url(settings: Settings) -> str:
    """Where this machine reaches the collector."""
    return f"http://127.0.0.1:{settings.collector.port}"


def first_event_command(settings: Settings) -> str:
    """A shell command that sends one event, of the first stage where that has a named one."""
    named = [match.event for match in settings.project.stages[0].any_of if match.event]
    event = {"event_name": named[0] if named else "Hello", "identities": {"$identity_login_id": "u1"}}
    body = shlex.quote(json.dumps(event, ensure_ascii=False))
    return f"curl {collector_url(settings)}/events \\\n  -H 'content-type: application/json' \\\n  -d {body}"
