"""The decoder process: decoding beside the server, where it cannot slow the small queries down."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process

from warehouse.batch import BatchRequest, DecodedBatch, decode_batch


class DecoderProcess:
    """One child process that decodes a batch at a time; started anew when it dies. Close it."""

    def __init__(self) -> None:
        self._pool = _start()

    def __call__(self, request: BatchRequest) -> DecodedBatch:
        """Decode in the child. Raises what `decode_batch` raises."""
        try:
            return self._pool.submit(decode_batch, request).result()
        except BrokenProcessPool:
            # Decoding keeps no state, so a killed child costs one repeated batch.
            self._pool = _start()
            return self._pool.submit(decode_batch, request).result()

    def close(self) -> None:
        """End the child."""
        self._pool.shutdown(cancel_futures=True)


def _start() -> ProcessPoolExecutor:
    # spawn: a forked child would share the locks of DuckDB's threads.
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    # A killed server cannot end its child, and the child would wait for work for ever.
    parent = parent_process()
    assert parent is not None, "the decoder runs in a child process"

    def wait() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()
