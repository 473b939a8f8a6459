"""Sealing from outside: the open file of a stream is ended, by its writer when one runs, else by whoever asks.

The writer looks once a second whether there is a file `roll` in its folder; then it goes on in a new file.
"""

import time
from pathlib import Path

from ingest.errors import LogInUse
from ingest.log.files import LogFile, list_files
from ingest.log.repair import repair_tail
from ingest.log.stream import ROLL_NAME, lock_stream

_PATIENCE_S = 15.0
_BETWEEN_TRIES_S = 0.05


def seal_stream(log: Path, stream: str, patience_s: float = _PATIENCE_S) -> None:
    """Return when every file is sealed that is open now. Raises `LogInUse` when the stream's writer does not react."""
    folder = log / stream
    asked_for = [each.number for each in list_files(folder) if not each.is_sealed]
    deadline = time.monotonic() + patience_s
    while waiting := [each for each in list_files(folder) if each.number in asked_for and not each.is_sealed]:
        if _seal_alone(folder, waiting):
            return
        (folder / ROLL_NAME).touch()
        if time.monotonic() >= deadline:
            raise LogInUse(
                f"the collector that writes {folder} did not begin a new file within {patience_s:g} seconds; "
                "stop it, or try again when it answers"
            )
        time.sleep(_BETWEEN_TRIES_S)


def _seal_alone(folder: Path, open_files: list[LogFile]) -> bool:
    """Seal what a writer left open that is gone; False while one runs."""
    try:
        lock = lock_stream(folder)
    except LogInUse:
        return False
    with lock:
        for each in open_files:
            if each.path.exists():
                repair_tail(each.path)
        (folder / ROLL_NAME).unlink(missing_ok=True)
    return True
