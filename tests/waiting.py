"""Waiting for what other threads and processes do; how long it takes says nothing, for the machine may be busy."""

import time
from collections.abc import Callable

DEADLINE_S = 300.0  # what takes longer hangs


def until(is_so: Callable[[], bool], what: str, every_s: float = 0.01) -> None:
    """Look until it is so. Raises `AssertionError` past the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_S:g} seconds"
        time.sleep(every_s)
