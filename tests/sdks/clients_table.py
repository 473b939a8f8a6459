"""The table of all clients that were driven: `python -m tests.sdks.clients_table`, after `make test-sdks`.

It drives every client again, judges it, and puts the rows into docs/sdk/clients.md.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.sdks.clients import DOCUMENT, NODE_RUNS, PAGE_RUNS, PYTHON_RUNS, row
from tests.sdks.house import Run, drive
from tests.sdks.pages import drive_pages
from tests.sdks.scenario import Json
from tests.sdks.telling import Told

BEGIN, END = "<!-- made by python -m tests.sdks.clients_table -->", "<!-- end of table -->"
HEAD = "| client | version | mode | meant: events + calls | automatic | reported by |\n|---|---|---|---|---|---|"


def main() -> None:
    """Drive everything in one house, judge it, and write the table."""
    runs = [*PYTHON_RUNS, *NODE_RUNS, *PAGE_RUNS]
    with tempfile.TemporaryDirectory() as folder:
        told = Told.to_collector(runs, Path(folder) / "data", _drive_all)
    rows = "\n".join([HEAD, *(row(run, told.said[run.name], told.views) for run in runs)])
    head, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{rows}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.stdout.write(f"{len(runs)} runs judged\n")


def _drive_all(_runs: Sequence[Run], url: str) -> dict[str, Json]:
    return drive(PYTHON_RUNS, url) | drive(NODE_RUNS, url) | drive_pages(PAGE_RUNS, url)


if __name__ == "__main__":
    main()
