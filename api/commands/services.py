"""Commands that run the services: collect, serve, up, demo, and loading without a server."""

import contextlib
import functools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.common import CollectorPort, Data, ServerPort, Workers, out, settings_of
from api.errors import ApiError

if TYPE_CHECKING:
    from api.services.running import Services

commands = typer.Typer()


@commands.command()
def collect(
    data: Data = None,
    collector_port: CollectorPort = None,
    server_port: ServerPort = None,
    workers: Workers = None,
    worker: Annotated[int | None, typer.Option("--worker", hidden=True)] = None,
    listener: Annotated[int | None, typer.Option("--listener", hidden=True)] = None,
) -> None:
    """Run the collector: receive events and keep them in the log."""
    from api.services.announcing import say_where
    from api.services.collecting import create_collector
    from api.services.logs import set_up_logs
    from api.services.running import run_service

    settings = settings_of(data, collector_port, server_port, workers)
    set_up_logs(settings.logs.format)
    place = settings.collector
    if worker is not None and listener is not None:
        from api.services.workers import run_worker

        run_worker(settings, worker, listener, create_collector)
    elif place.workers > 1:
        from api.services.workers import run_workers

        run_workers(settings)
    else:
        create = functools.partial(create_collector, settings)
        say = functools.partial(say_where, settings)
        run_service("collect", create, place.host, place.port, place.request_timeout_s, say)


@commands.command()
def serve(data: Data = None, collector_port: CollectorPort = None, server_port: ServerPort = None) -> None:
    """Run the server: load the log, answer questions, show the board."""
    from api.services.logs import set_up_logs
    from api.services.running import run_service
    from api.services.serving import create_server

    settings = settings_of(data, collector_port, server_port)
    set_up_logs(settings.logs.format)
    run_service("serve", lambda: create_server(settings), settings.server.host, settings.server.port)


@commands.command()
def up(
    data: Data = None, collector_port: CollectorPort = None, server_port: ServerPort = None, workers: Workers = None
) -> None:
    """Run collector and server until Ctrl-C."""
    settings = settings_of(data, collector_port, server_port, workers)
    out.print(f"starting collector and server on {settings.data} ...", markup=False, highlight=False, soft_wrap=True)

    from api.printing import terminal
    from api.services.running import both_services

    with _reason_told_once(), both_services(settings) as services:
        services.wait_until_healthy()
        terminal.print_addresses(out, settings)
        keep_serving(services)


@contextlib.contextmanager
def _reason_told_once() -> Iterator[None]:
    from api.services.running import ServiceSaidWhy

    try:
        yield
    except ServiceSaidWhy as error:
        raise typer.Exit(1) from error


def keep_serving(services: "Services") -> None:
    """Wait for Ctrl-C (or SIGTERM), and end when a service does."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            services.check()
            time.sleep(0.5)


@commands.command()
def load(
    data: Data = None, once: Annotated[bool, typer.Option("--once", help="Load what is there, then end.")] = False
) -> None:
    """Load the log into the warehouse while no server runs."""
    from api.loaded_settings import differing_settings
    from api.offline import load_once
    from api.printing import terminal

    if not once:
        raise ApiError("the server loads the log by itself; without one, run `onepath load --once`")
    settings = settings_of(data)
    terminal.warn_of_settings(differing_settings(settings))
    terminal.print_load(out, load_once(settings))


@commands.command()
def demo(
    data: Data = None,
    collector_port: CollectorPort = None,
    server_port: ServerPort = None,
    exit_after: Annotated[bool, typer.Option("--exit", help="End after printing.")] = False,
    scale: Annotated[float, typer.Option("--scale", help="Size of the story.", min=0.02, max=1)] = 1.0,
) -> None:
    """Post the story of a school-software company with real SDKs, and show what Onepath makes of it."""
    from api.demo.run import run_demo  # the SDKs come with the extra `demo`

    with _reason_told_once():
        run_demo(out, data, collector_port, server_port, scale=scale, then=None if exit_after else keep_serving)
