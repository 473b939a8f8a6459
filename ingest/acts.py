"""Operators' acts on their way into the log.

An act is on disk when `append_act` returns, so whoever loads the log, now or again, applies it.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from ingest.errors import LogInUse
from ingest.log.writer import LogWriter
from ingest.record import OPERATOR_STREAM, Act

_PATIENCE_S = 5.0
_BETWEEN_TRIES_S = 0.05


def append_act(log: Path, act: Act, patience_s: float = _PATIENCE_S) -> int:
    """Append to the operators' stream; returns a moment (microseconds since 1970 UTC) not before the act's own.

    Another process may be writing an act of its own: that takes milliseconds, and is waited for. Raises `LogInUse` when
    it takes longer, and `LogUnavailable` when the disk refuses.
    """
    return append_acts(log, [act], patience_s)


def append_acts(log: Path, acts: Sequence[Act], patience_s: float = _PATIENCE_S) -> int:
    """As `append_act`, for several in their order."""
    writer = _open_patiently(log, patience_s)
    try:
        for act in acts:
            writer.append(act)
        return writer.now_us()
    finally:
        writer.close()


def _open_patiently(log: Path, patience_s: float) -> LogWriter:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return LogWriter(log, OPERATOR_STREAM)
        except LogInUse:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_BETWEEN_TRIES_S)
