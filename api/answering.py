"""Who answers the command line: the running server, or the folder itself when nothing runs.

Both speak the API; without a server the same application answers inside this process, over the opened folder. A server
that is only starting is waited for.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from api.asking import Ask, answers_of_server, running_server
from api.errors import ApiError
from api.settings import Settings
from warehouse.errors import WarehouseInUse

if TYPE_CHECKING:
    from api.backlog import Backlog

Answers = tuple[Ask, "Backlog | None"]

START_PATIENCE_S = 10.0
_BETWEEN_TRIES_S = 0.25


@contextmanager
def answers(settings: Settings, patience_s: float = START_PATIENCE_S) -> Iterator[Answers]:
    """How to ask, and (only when nothing runs) how much of the log is not loaded yet."""
    with ExitStack() as stack:
        yield _open_patiently(settings, stack, patience_s)


def _open_patiently(settings: Settings, stack: ExitStack, patience_s: float) -> Answers:
    """The first that answers. Raises `ApiError` when another process keeps the folder, and answers nothing."""
    deadline: float | None = None
    while True:
        url = running_server(settings)
        if url is not None:
            return stack.enter_context(answers_of_server(settings, url)), None
        try:
            return stack.enter_context(_answers_of_folder(settings))
        except WarehouseInUse as error:
            if deadline is None:
                deadline = time.monotonic() + patience_s
                _note_waiting()
            if time.monotonic() >= deadline:
                raise ApiError(
                    f"{settings.warehouse_path} is open in another process, and no server on this folder answered "
                    f"within {patience_s:g} seconds; end that process, or ask again once its server is up"
                ) from error
        time.sleep(_BETWEEN_TRIES_S)


def _answers_of_folder(settings: Settings) -> AbstractContextManager[Answers]:
    # Only here are the libraries of the server needed; a question to a running one starts in a third of the time.
    from api.offline import answers_of_folder

    return answers_of_folder(settings)


def _note_waiting() -> None:
    note = "onepath: waiting for the server that is starting on this folder"
    Console(stderr=True).print(note, style="yellow", highlight=False, soft_wrap=True)
