"""The command line: each command reads the settings, calls one thing, and prints.

What goes wrong on purpose is one sentence on stderr and exit status 1. Commands import what they run, so that each
starts without waiting for the libraries of the others: the collector comes up in half the time, and never loads DuckDB.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlencode

import typer
from rich.console import Console

from api.durations import parse_duration
from api.errors import ApiError
from api.settings import Settings, read_settings
from ingest.errors import IngestError
from models.errors import QuestionError
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from api.running import Services

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="One identity, one path."
)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of log and warehouse.")]
CollectorPort = Annotated[int | None, typer.Option("--collector-port", help="Port of the collector (8106).")]
ServerPort = Annotated[int | None, typer.Option("--server-port", help="Port of the server (8107).")]
By = Annotated[Literal["person", "account"], typer.Option("--by", help="Count persons or accounts.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON, its SQL included.")]

out = Console()


def main() -> None:
    """Run the command line; the entry point."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with one_sentence():
        app()


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Turn what was raised on purpose into one sentence and exit status 1."""
    try:
        yield
    except (ApiError, IngestError, WarehouseError, QuestionError) as error:
        Console(stderr=True).print(f"onepath: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


def _asking(data: Path | None) -> Settings:
    """The settings of a command that asks: it makes no folder where there is none."""
    settings = read_settings(data, create=False)
    if not settings.data.exists():
        raise ApiError(
            f"there is nothing at {settings.data}; name a folder with --data, or start one with `onepath up`"
        )
    return settings


def _settings(data: Path | None, collector_port: int | None = None, server_port: int | None = None) -> Settings:
    return read_settings(data, {"collector.port": collector_port, "server.port": server_port})


@app.command()
def collect(data: Data = None, collector_port: CollectorPort = None, server_port: ServerPort = None) -> None:
    """Run the collector: receive events and keep them in the log."""
    from api.collecting import create_collector
    from api.running import run_service

    settings = _settings(data, collector_port, server_port)
    run_service("collect", lambda: create_collector(settings), settings.collector.host, settings.collector.port)


@app.command()
def serve(data: Data = None, collector_port: CollectorPort = None, server_port: ServerPort = None) -> None:
    """Run the server: load the log, answer questions, show the board."""
    from api.running import run_service
    from api.serving import create_server

    settings = _settings(data, collector_port, server_port)
    run_service("serve", lambda: create_server(settings), settings.server.host, settings.server.port)


@app.command()
def up(data: Data = None, collector_port: CollectorPort = None, server_port: ServerPort = None) -> None:
    """Run collector and server until Ctrl-C."""
    from api import terminal
    from api.running import both_services

    settings = _settings(data, collector_port, server_port)
    with both_services(settings) as services:
        services.wait_until_healthy()
        terminal.print_addresses(out, settings)
        keep_serving(services)


def keep_serving(services: "Services") -> None:
    """Wait for Ctrl-C (or SIGTERM), and end when a service does."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            services.check()
            time.sleep(0.5)


@app.command()
def load(
    data: Data = None, once: Annotated[bool, typer.Option("--once", help="Load what is there, then end.")] = False
) -> None:
    """Load the log into the warehouse while no server runs."""
    from api import terminal
    from api.offline import load_once

    if not once:
        raise ApiError("the server loads the log by itself; without one, run `onepath load --once`")
    terminal.print_load(out, load_once(_settings(data)))


@app.command()
def demo(
    data: Data = None,
    collector_port: CollectorPort = None,
    server_port: ServerPort = None,
    exit_after: Annotated[bool, typer.Option("--exit", help="End after printing.")] = False,
    scale: Annotated[float, typer.Option("--scale", help="Size of the story.", min=0.02, max=1)] = 1.0,
) -> None:
    """Post the story of a school-software company with real SDKs, and show what Onepath makes of it."""
    from api.demo.run import run_demo  # the SDKs come with the extra `demo`

    run_demo(out, data, collector_port, server_port, scale=scale, then=None if exit_after else keep_serving)


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over the public views.")],
    data: Data = None,
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print the rows.")
    ] = "table",
) -> None:
    """Run one SELECT: on the running server, or on the folder when nothing runs."""
    from api import terminal
    from api.answering import answers
    from api.asking import project_path

    settings = _asking(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        accept = "text/csv" if output == "csv" else "application/json"
        response = ask("POST", project_path(settings, "sql"), {"sql": statement}, accept=accept)
    terminal.print_rows(out, response, output)


@app.command()
def funnel(
    steps: Annotated[list[str], typer.Argument(help="Event names, in order.")],
    window: Annotated[str, typer.Option("--window", help="Conversion window, such as 14d, 36h or 30m.")] = "14d",
    by: By = "person",
    breakdown: Annotated[str | None, typer.Option("--breakdown", help="Split by this event property.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """How many go from step to step within a window."""
    from api import terminal

    question = {
        "steps": [{"any_of": [{"event": step}]} for step in steps],
        "conversion_window_s": parse_duration(window),
        "by": by,
        "breakdown": breakdown,
    }
    _answer("funnel", question, data, as_json, terminal.print_funnel, events=steps)


@app.command()
def retention(
    unit: Annotated[Literal["day", "week", "month"], typer.Option("--unit", help="Length of a period.")] = "week",
    periods: Annotated[int, typer.Option("--periods", help="Periods after the first.")] = 8,
    start: Annotated[str | None, typer.Option("--start", help="Event that starts; any event by default.")] = None,
    returning: Annotated[
        str | None, typer.Option("--returning", help="Event that returns; any event by default.")
    ] = None,
    mode: Annotated[
        Literal["recurring", "first_time"],
        typer.Option("--mode", help="In every period with a start event, or only the first ever."),
    ] = "first_time",
    by: By = "person",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Who comes back, by the period they started in."""
    from api import terminal

    question = {
        "start": {"event": start},
        "returning": {"event": returning},
        "unit": unit,
        "periods": periods,
        "mode": mode,
        "by": by,
    }
    events = [event for event in (start, returning) if event is not None]
    _answer("retention", question, data, as_json, terminal.print_retention, events)


@app.command("sales-path")
def sales_path(
    by: By = "person",
    window: Annotated[
        str | None, typer.Option("--window", help="Count entries within this time of the first; none by default.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """How far persons or accounts came along the stages of the sales path."""
    from api import terminal

    question = {"by": by, "window_s": parse_duration(window) if window else None}
    _answer("sales-path", question, data, as_json, terminal.print_sales_path)


@app.command()
def refresh(
    data: Data = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Compute every day anew, not only those touched.")] = False,
) -> None:
    """Bring the marts up to date with what is loaded."""
    from api import terminal
    from api.answering import answers
    from api.asking import project_path

    settings = _asking(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("POST", project_path(settings, "refresh"), {"rebuild": rebuild})
    terminal.print_refresh(out, response.json())


@app.command()
def rejects(
    data: Data = None,
    limit: Annotated[int, typer.Option("--limit", help="Most rejects to show.", min=1, max=1000)] = 20,
    reason: Annotated[str | None, typer.Option("--reason", help="Only those of this reason.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was refused, and why, newest first."""
    from api import terminal
    from api.answering import answers
    from api.asking import project_path

    settings = _asking(data)
    query = "rejects?" + urlencode({"limit": limit} | ({"reason": reason} if reason else {}))
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("GET", project_path(settings, query))
    terminal.print_rejects(out, response, as_json)


@app.command()
def doctor(data: Data = None, collector_port: CollectorPort = None, server_port: ServerPort = None) -> None:
    """Name every setting with its value and origin, and say how things stand."""
    from api import terminal
    from api.doctor import examine

    settings = read_settings(data, {"collector.port": collector_port, "server.port": server_port}, create=False)
    terminal.print_doctor(out, settings, examine(settings))


def _answer(
    name: str,
    question: dict[str, Any],
    data: Path | None,
    as_json: bool,
    show: Callable[[Console, dict[str, Any]], None],
    events: Sequence[str] = (),
) -> None:
    from api import terminal
    from api.answering import answers
    from api.asking import project_path, unknown_events

    settings = _asking(data)
    with answers(settings) as (ask, backlog):
        terminal.warn_of_backlog(backlog)
        response = ask("POST", project_path(settings, name), question)
        terminal.warn_of_unknown_events(unknown_events(settings, ask, events))
    if as_json:
        terminal.print_json(out, response)
    else:
        show(out, response.json())
        terminal.print_watermark(out, response.json())


if __name__ == "__main__":
    main()
