"""The decoder process: decoding beside the server, where it cannot slow the small queries down.

One child and a pipe. The child keeps nothing between batches, so it may die at any time, and it ends when its parent
does.
"""

import contextlib
import gc
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

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
        self._child.join(_PATIENCE_S)
        if self._child.is_alive():  # stopped, or deep in a library that does not let signals through
            self._child.kill()
            self._child.join()

    def _start(self) -> None:
        # spawn: a forked child would share the locks of DuckDB's threads.
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self._prepare)
        self._child = context.Process(target=_decode_for_parent, args=arguments, name="decoder", daemon=True)
        self._child.start()
        theirs.close()


def _decode_for_parent(
    pipe: "Connection[DecodedBatch | Exception, BatchRequest]", prepare: Callable[[], None] | None
) -> None:
    if prepare is not None:
        prepare()
    gc.disable()  # messages are trees: looking for cycles among a batch of them finds none, and costs a tenth
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    with contextlib.suppress(EOFError, OSError):  # the parent is gone, and so is the work
        while True:
            pipe.send(_outcome_of(pipe.recv()))
            gc.collect()


def _outcome_of(request: BatchRequest) -> DecodedBatch | Exception:
    try:
        return decode_batch(request)
    except Exception as error:  # noqa: BLE001  # raised again by the parent
        return error
