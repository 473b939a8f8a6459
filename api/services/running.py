"""Running the services: one in this process, or both as children of it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

import httpx
import uvicorn

from api.errors import ApiError
from api.local_http import local_health
from api.services.connections import Connection, ConnectionServer
from api.services.stopping import StoppableServer
from api.settings import Settings, local_url
from ingest.receiving.asgi import ASGIApp

START_TIMEOUT_S = 60.0
# Answers under way when a service is stopped may take this long; then their statements are interrupted.
SHUTDOWN_TIMEOUT_S = 3


class ServiceFailed(ApiError):
    """A service did not start, or ended by itself."""


def run_service(
    name: str,
    create: Callable[[], ASGIApp],
    host: str,
    port: int,
    request_timeout_s: float | None = None,
    on_started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM. The port is bound before anything is opened, so a taken one costs nothing."""
    with bind(name, host, port) as listener:
        serve_on(listener, name, create, request_timeout_s, on_started)


def serve_on(
    listener: socket.socket,
    name: str,
    create: Callable[[], ASGIApp],
    request_timeout_s: float | None,
    on_started: Callable[[], None] = lambda: None,
) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM; drop requests that take longer to arrive than given.

    With such a time, `on_started` is called once requests are received.
    """
    config = uvicorn.Config(
        create(),
        http=Connection if request_timeout_s else "httptools",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whose word counts is told by the setting trusted_proxies
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    timeout_s = request_timeout_s
    server = ConnectionServer(config, timeout_s, on_started) if timeout_s else StoppableServer(config)
    server.run(sockets=[listener])
    if not server.started:
        raise ServiceFailed(f"`onepath {name}` did not start; its reason stands above")


def bind(name: str, host: str, port: int) -> socket.socket:
    """The socket that a service will listen on. Raises `ServiceFailed` when it cannot be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        service = {"collect": "collector", "serve": "server"}[name]
        raise ServiceFailed(
            f"`onepath {name}` cannot listen on {host}:{port}: {error.strerror}; "
            f"give it another port with --{service}-port, or by ONEPATH_{service.upper()}__PORT"
        ) from error
    return listener


class ServiceSaidWhy(ServiceFailed):
    """A service ended, and has told its reason on the terminal already."""


class Service:
    """One service as a child process, and where it answers."""

    def __init__(self, command: str, host: str, port: int, process: "subprocess.Popen[bytes]") -> None:
        self._command = command
        self._url = local_url(host, port)
        self._process = process

    def check(self) -> None:
        """Raise `ServiceFailed` when it has ended."""
        status = self._process.poll()
        if status is not None:
            # What fails on purpose says why and ends with 1; so does what fails with a trace.
            failure = ServiceSaidWhy if status == 1 else ServiceFailed
            raise failure(f"`onepath {self._command}` ended with status {status}")

    def wait_until_healthy(self) -> None:
        """Return when it answers. Raises `ServiceFailed`."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                if local_health(self._url, timeout_s=2).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise ServiceFailed(
            f"`onepath {self._command}` did not answer on {self._url}/health within {START_TIMEOUT_S:g} seconds"
        )


class Services:
    """Collector and server, started together."""

    def __init__(self, services: list[Service]) -> None:
        self._services = services

    def check(self) -> None:
        """Raise `ServiceFailed` when one has ended."""
        for service in self._services:
            service.check()

    def wait_until_healthy(self) -> None:
        """Return when both answer. Raises `ServiceFailed`."""
        for service in self._services:
            service.wait_until_healthy()


@contextmanager
def both_services(settings: Settings) -> Iterator[Services]:
    """Collector and server as children while the block runs; they start beside whatever the block does first."""
    # SIGTERM must end the children too, and an exception lets the blocks below do it.
    signal.signal(signal.SIGTERM, end_by_signal)
    places = {
        "collect": (settings.collector.host, settings.collector.port),
        "serve": (settings.server.host, settings.server.port),
    }
    for name, (host, port) in places.items():
        bind(name, host, port).close()
    with ExitStack() as stack:
        yield Services(
            [Service(name, *place, stack.enter_context(_child(name, settings))) for name, place in places.items()]
        )


def end_by_signal(_signal: int, _frame: FrameType | None) -> None:
    """A handler that ends the program as Ctrl-C does, so that the blocks it is in can end their children."""
    raise KeyboardInterrupt


@contextmanager
def _child(command: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [
        *(sys.executable, "-P", "-m", "api.cli", command, "--data", str(settings.data)),
        *("--collector-port", str(settings.collector.port), "--server-port", str(settings.server.port)),
    ]
    if command == "collect":
        arguments += ["--workers", str(settings.collector.workers)]
    # A session of its own: Ctrl-C reaches the parent alone, which then ends its children in order.
    # Where to send events is said by the parent, with the rest; why one fails is said on standard error.
    child = subprocess.Popen(arguments, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(START_TIMEOUT_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):  # it takes too long, or a second Ctrl-C says so
                child.kill()
                child.wait()
