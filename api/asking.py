"""Asking the API: one request, one answer or one sentence, whoever answers."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from api.errors import ApiError
from api.local_http import local_client, local_health
from api.settings import SERVER_FILE, Settings
from models.errors import UnknownEventError


class Refused(ApiError):
    """The API refused a question; the message is its reason."""


class Ask(Protocol):
    """Sends one request to the API and returns the answer. Raises `Refused`."""

    def __call__(
        self, method: str, path: str, body: Any = None, *, accept: str = "application/json"
    ) -> httpx.Response: ...


@contextmanager
def answers_of_server(settings: Settings, url: str) -> Iterator[Ask]:
    """How to ask the server at `url`."""
    with local_client(url, _authorization(settings)) as client:
        yield lambda method, path, body=None, *, accept="application/json": checked(
            client.request(method, path, json=body, headers={"accept": accept})
        )


def project_path(settings: Settings, rest: str, **parameters: object) -> str:
    """The path of an endpoint of the project; parameters that are None are not given."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"/api/v1/projects/{settings.project.project.name}/{rest}" + (f"?{query}" if query else "")


def running_server(settings: Settings) -> str | None:
    """The address of the server that has this folder open; None when nobody answers."""
    path = settings.data / SERVER_FILE
    try:
        announced = json.loads(path.read_text(encoding="utf-8"))
        url = str(announced["url"])
        health = local_health(url, timeout_s=5).raise_for_status().json()
        # After a crash the file may be stale, and another folder's server may have taken the port.
        return url if health["instance"] == announced["instance"] else None
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError, httpx.InvalidURL):
        return None


def unknown_events(settings: Settings, ask: Ask, names: Sequence[str]) -> list[str]:
    """A sentence for each of `names` that no event has, with the names most like it."""
    if not names:
        return []
    sql = "select distinct event_name from events order by event_name"
    known = [row[0] for row in ask("POST", project_path(settings, "sql"), {"sql": sql}).json()["rows"]]
    return [str(UnknownEventError(name, known)) for name in names if name not in known]


def _authorization(settings: Settings) -> dict[str, str]:
    return {"authorization": f"Bearer {settings.server.token}"} if settings.server.token else {}


def checked(response: httpx.Response) -> httpx.Response:
    """The answer, unless it is a refusal: then its reason is raised as `Refused`."""
    if response.is_success:
        return response
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError):
        detail = response.text
    if isinstance(detail, list):
        detail = "; ".join(str(each.get("msg", each)) for each in detail)
    raise Refused(str(detail))
