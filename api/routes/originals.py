"""Originals of rejects that the warehouse dropped, asked for one by one."""

from typing import Any

from api.asking import Ask, Refused, project_path
from api.settings import Settings


def fill_originals(ask: Ask, settings: Settings, rejects: list[dict[str, Any]]) -> None:
    """Read from the log what the warehouse no longer keeps; what is gone there too stays null."""
    for reject in rejects:
        if reject["original"] is None:
            try:
                path = project_path(settings, "rejects/original", log_order=reject["log_order"])
                reject["original"] = ask("GET", path).json()["original"]
            except Refused:
                continue
