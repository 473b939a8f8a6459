"""Starts a real service that kills itself (SIGKILL) at a chosen moment: `python -m tests.fault_launcher collect
written 7`.

The moments are the stages that `LogWriter` and `Loader` report: the only seam, the rest is the product as it ships.
"""

import os
import signal
import sys
from pathlib import Path

from api.collecting import create_collector
from api.running import run_service
from api.serving import create_server
from api.settings import read_settings

NEVER = "never"


class KillAt:
    """An observer that ends its process, without any goodbye, when `stage` comes for the n-th time."""

    def __init__(self, stage: str, count: int, trace: Path) -> None:
        self._stage = stage
        self._left = count
        self._trace = trace

    def __call__(self, stage: str) -> None:
        if stage != self._stage:
            return
        self._left -= 1
        if self._left == 0:
            self._trace.write_text(stage, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


def main(service: str, stage: str, count: str, data: str, collector_port: str, server_port: str, trace: str) -> None:
    """Run one service on the folder until it is killed."""
    overrides = {"collector.port": int(collector_port), "server.port": int(server_port)}
    settings = read_settings(Path(data), overrides)
    observe = KillAt(stage, int(count), Path(trace))
    if service == "collect":
        run_service("collect", lambda: create_collector(settings, observe), "127.0.0.1", int(collector_port))
    else:
        run_service("serve", lambda: create_server(settings, observe), "127.0.0.1", int(server_port))


if __name__ == "__main__":
    main(*sys.argv[1:])
