"""Stopping a service: what goes on for ever hears of it, and a second Ctrl-C ends it at once."""

import os
import signal
import threading
from types import FrameType

import uvicorn

# Set when the service of this process begins to shut down: endless answers must end by themselves.
stopping = threading.Event()


class StoppableServer(uvicorn.Server):
    """uvicorn, saying when it stops."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called for SIGINT and SIGTERM."""
        if self.should_exit and sig == signal.SIGINT:
            os._exit(130)  # what was acknowledged is on disk, and a load under way is undone: nothing else is owed
        stopping.set()
        super().handle_exit(sig, frame)
