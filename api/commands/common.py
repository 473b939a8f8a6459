"""What the commands share: their options, and how a failure is told.

Commands import what they run, so that each starts without waiting for the libraries of the others: the collector
comes up in half the time, and never loads DuckDB.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from api.errors import ApiError
from api.settings import Settings, read_settings
from ingest.errors import IngestError
from models.errors import QuestionError
from warehouse.errors import WarehouseError

Data = Annotated[Path | None, typer.Option("--data", help="Folder of log and warehouse.")]
CollectorPort = Annotated[int | None, typer.Option("--collector-port", help="Port of the collector (8106).")]
ServerPort = Annotated[int | None, typer.Option("--server-port", help="Port of the server (8107).")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes that receive behind the one port.")]
KnownAt = Annotated[
    str | None, typer.Option("--known-at", help="Answer with what had arrived before this moment (ISO 8601).")
]
HappenedAt = Annotated[
    str | None, typer.Option("--happened-at", help="Answer with what had happened before this moment (ISO 8601).")
]
Output = Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How to print the answer.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON, its SQL included.")]

out = Console()


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Turn what was raised on purpose into one sentence and exit status 1."""
    try:
        yield
    except (ApiError, IngestError, WarehouseError, QuestionError) as error:
        Console(stderr=True).print(f"onepath: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


def settings_of(
    data: Path | None, collector_port: int | None = None, server_port: int | None = None, workers: int | None = None
) -> Settings:
    """The settings of a command that runs something: the data folder is made when there is none."""
    overrides = {"collector.port": collector_port, "server.port": server_port, "collector.workers": workers}
    return read_settings(data, overrides)
