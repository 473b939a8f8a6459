"""The decoder process: decoding beside the server, where it cannot slow the small queries down.

One child and a pipe. The child keeps nothing between batches, so it may die at any time, and it ends when its parent
does.
"""

import contextlib
import gc
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any

from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.errors import DecoderDied

_ATTEMPTS = 2
_PATIENCE_S = 3.0


class DecoderProcess:
    """Decodes a batch at a time in its child, which is started anew when it dies. Close it.

    `prepare` runs first in each child, which shares nothing with this process: it sets up how the child logs.
    """

    def __init__(self, prepare: Callable[[], None] | None = None) -> None:
        self._prepare = prepare
        self._start()

    def __call__(self, request: BatchRequest) -> DecodedBatch:
        """Decode in the child. Raises what `decode_batch` raises, or `DecoderDied`."""
        for _ in range(_ATTEMPTS):
            try:
                self._pipe.send(request)
                outcome: DecodedBatch | Exception = self._pipe.recv()
            except (EOFError, OSError):
                self.close()
                self._start()
                continue
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        raise DecoderDied(f"the decoder died {_ATTEMPTS} times on the same batch of the log")

    def close(self) -> None:
        """End the child, whatever it is doing: it keeps nothing."""
        self._pipe.close()
        self._child.terminate()
        try:
            self._child.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:  # stopped, or deep in a library that does not let signals through
            self._child.kill()
            self._child.wait()

    def _start(self) -> None:
        # A forked child would share the locks of DuckDB's threads, and one of `multiprocessing` would import all that
        # the parent's command did: this one starts in half the time.
        self._pipe, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-P", "-m", "warehouse.decoder", str(theirs.fileno())]
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        with contextlib.suppress(OSError):  # it is dead already, which the first batch will find
            self._pipe.send(sys.path)
            self._pipe.send(self._prepare)


def _decode_for_parent(pipe: "Connection[Any, Any]") -> None:
    gc.disable()  # messages are trees: looking for cycles among a batch of them finds none, and costs a tenth
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    with contextlib.suppress(EOFError, OSError):  # the parent is gone, and so is the work
        sys.path[:] = pipe.recv()
        prepare: Callable[[], None] | None = pipe.recv()
        if prepare is not None:
            prepare()
        while True:
            pipe.send(_outcome_of(pipe.recv()))
            gc.collect()


def _outcome_of(request: BatchRequest) -> DecodedBatch | Exception:
    try:
        return decode_batch(request)
    except Exception as error:  # noqa: BLE001  # raised again by the parent
        return error


if __name__ == "__main__":
    _decode_for_parent(Connection(int(sys.argv[1])))
