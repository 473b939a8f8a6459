"""Starts a real service that can be told to kill itself (SIGKILL) at a chosen moment, or to believe another clock.

The moments are the stages that `LogWriter` and `Loader` report; the clock is the log writer's: the only seams, the rest
is the product as it ships. Each line on standard input is an `Errand`; it is run by a process forked from this one, and
its id is the answer. This one has imported the product: else each of hundreds of restarts would cost seconds.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec


class Errand(msgspec.Struct, frozen=True):
    """What to run. `order` is the file that says when to die, `trace` where the dying says so."""

    service: str
    data: str
    collector_port: int
    server_port: int
    order: str
    trace: str
    clock: str | None = None
    overrides: dict[str, int | float | str] = {}


class Order(msgspec.Struct, frozen=True):
    """Die at the `count`-th `stage` from when this is first seen; `number` tells one order from the next."""

    number: int
    stage: str
    count: int


class KillAt:
    """An observer that ends its process, without any goodbye, when its order says so."""

    def __init__(self, order: Path, trace: Path) -> None:
        self._order = order
        self._trace = trace
        self._number = 0
        self._left = 0

    def __call__(self, stage: str) -> None:
        try:
            order = msgspec.json.decode(self._order.read_bytes(), type=Order)
        except FileNotFoundError:
            return
        if order.number != self._number:
            self._number, self._left = order.number, order.count
        self._left -= stage == order.stage
        if self._left == 0:
            self._trace.write_text(stage, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)


def shifted_clock(shift: Path) -> Callable[[], int]:
    """The system's clock, moved by the microseconds that the file says at each look."""
    from ingest.log.writer import system_clock_us

    return lambda: system_clock_us() + int(shift.read_text(encoding="ascii"))


def set_clock(clock_us: Callable[[], int]) -> None:
    """Give every log writer of this process another clock: the collector offers none to set, its writer does."""
    from ingest.log.writer import LogWriter

    defaults = LogWriter.__init__.__kwdefaults__
    assert defaults is not None
    defaults["clock_us"] = clock_us


def main(errand: Errand) -> None:
    """Run one service until it is killed."""
    from api.services.running import run_service
    from api.settings import read_settings

    ports = {"collector.port": errand.collector_port, "server.port": errand.server_port}
    settings = read_settings(Path(errand.data), {**errand.overrides, **ports})
    observe = KillAt(Path(errand.order), Path(errand.trace))
    if errand.clock is not None:
        set_clock(shifted_clock(Path(errand.clock)))
    if errand.service == "collect":
        from api.services.collecting import create_collector

        place = settings.collector
        run_service(
            "collect", lambda: create_collector(settings, observe), place.host, place.port, place.request_timeout_s
        )
    else:
        from api.services.serving import create_server

        run_service("serve", lambda: create_server(settings, observe), settings.server.host, settings.server.port)


def fork_service(errand: Errand) -> int:
    """Run a service in a process of its own; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        main(errand)
        status = 0
    except BaseException:  # noqa: BLE001  # a fork must not go on as its parent would
        traceback.print_exc()
    finally:
        os._exit(status)


def serve_errands() -> None:
    """Import what services need, and start one per line until the input ends."""
    import api.services.collecting
    import api.services.running
    import api.services.serving

    assert api.services.collecting and api.services.running and api.services.serving  # imported for those to come
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever dies is buried at once
    for line in sys.stdin.buffer:
        pid = fork_service(msgspec.json.decode(line, type=Errand))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve_errands()
