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
from api.settings import LOOPBACK_HOSTS, Settings
from ingest.asgi import ASGIApp

START_TIMEOUT_S = 60.0


class ServiceFailed(ApiError):
    """A service did not start, or ended by itself."""


def run_service(name: str, create: Callable[[], ASGIApp], host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. The port is bound before anything is opened, so a taken one costs nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ServiceFailed(
            f"the {name} cannot listen on {host}:{port}: {error.strerror}; give it another port"
        ) from error
    with listener:
        config = uvicorn.Config(
            create(), http="httptools", lifespan="on", log_level="warning", access_log=False, server_header=False
        )
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def both_services(settings: Settings) -> Iterator[Callable[[], None]]:
    """Collector and server as children, answering when the block begins; yields a call that raises if one has ended."""
    # SIGTERM must end the children too, and an exception lets the blocks below do it.
    signal.signal(signal.SIGTERM, _end)
    with ExitStack() as stack:
        children = {}
        for command, host, port in (
            ("collect", settings.collector.host, settings.collector.port),
            ("serve", settings.server.host, settings.server.port),
        ):
            child = stack.enter_context(_child(command, settings))
            children[command] = child
            _wait_until_healthy(command, child, host, port)

        def check() -> None:
            for command, child in children.items():
                if child.poll() is not None:
                    raise ServiceFailed(f"`onepath {command}` ended with status {child.returncode}")

        yield check


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _child(command: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [
        *(sys.executable, "-m", "api.cli", command, "--data", str(settings.data)),
        *("--collector-port", str(settings.collector.port), "--server-port", str(settings.server.port)),
    ]
    # A session of its own: Ctrl-C reaches the parent alone, which then ends its children in order.
    child = subprocess.Popen(arguments, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(START_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait_until_healthy(command: str, child: subprocess.Popen[bytes], host: str, port: int) -> None:
    reachable = host if host in LOOPBACK_HOSTS else "127.0.0.1"
    url = f"http://{reachable}:{port}/health"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise ServiceFailed(f"`onepath {command}` did not start; its reason stands above")
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise ServiceFailed(f"`onepath {command}` did not answer on {url} within {START_TIMEOUT_S:g} seconds")
