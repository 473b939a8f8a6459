"""Doing an operator's act from the command line: ask what it would move, write it, and see it loaded.

Works beside a running server, which loads it by itself, and on a folder that nobody has open, which is loaded here.
"""

import time
from typing import Any

from api.answering import answers
from api.asking import Ask, project_path
from api.identity_acts import write_identity_act
from api.settings import Settings

Preview = dict[str, Any]
"""An answer of `POST identity/acts`: act, details, foreseen, is_written."""

LOAD_PATIENCE_S = 30.0
_BETWEEN_LOOKS_S = 0.1


def preview_act(settings: Settings, ask: Ask, act: str, names: list[str]) -> Preview:
    """What an act on these names would move; nothing is written."""
    asked = {"act": act, "names": names, "is_dry_run": True}
    preview: Preview = ask("POST", project_path(settings, "identity/acts"), asked).json()
    return preview


def write_and_load(settings: Settings, preview: Preview, operator: str, patience_s: float = LOAD_PATIENCE_S) -> bool:
    """Write a previewed act into the log; returns whether it is loaded, for which a server is waited for so long."""
    with answers(settings) as (ask, backlog):
        is_served = backlog is None
        known = _count_acts(settings, ask, preview["act"])
        write_identity_act(settings.log_folder, preview["act"], operator, preview["details"])
        deadline = time.monotonic() + patience_s
        while is_served and time.monotonic() < deadline:
            if _count_acts(settings, ask, preview["act"]) > known:
                return True
            time.sleep(_BETWEEN_LOOKS_S)
    if is_served:
        return False
    from api.offline import load_once  # only here are the libraries of loading needed

    load_once(settings)
    return True


def numbers_now(settings: Settings, ask: Ask) -> dict[tuple[str, str], int]:
    """The numbers that an act is judged by, as they are now."""
    found = ask("GET", project_path(settings, "identity/numbers")).json()
    return {(each["question"], each["of"]): each["number"] for each in found}


def _count_acts(settings: Settings, ask: Ask, act: str) -> int:
    sql = f"select count(*) from acts where act = '{act}'"
    [(count,)] = ask("POST", project_path(settings, "sql"), {"sql": sql}).json()["rows"]
    return int(count)
