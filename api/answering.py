"""Who answers the command line: the running server, or the folder itself when nothing runs.

Both speak the API; without a server the same application answers inside this process, over the opened folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.asking import Ask, answers_of_server, running_server
from api.settings import Settings

if TYPE_CHECKING:
    from api.backlog import Backlog


@contextmanager
def answers(settings: Settings) -> Iterator[tuple[Ask, "Backlog | None"]]:
    """How to ask, and (only when nothing runs) how much of the log is not loaded yet."""
    url = running_server(settings)
    if url is not None:
        with answers_of_server(settings, url) as ask:
            yield ask, None
        return
    # Only here are the libraries of the server needed; a question to a running one starts in a third of the time.
    from api.offline import answers_of_folder

    with answers_of_folder(settings) as (ask, backlog):
        yield ask, backlog
