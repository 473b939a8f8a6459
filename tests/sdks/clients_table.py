"""The table of all clients that were driven: `python -m tests.sdks.clients_table`, after `make test-sdks`.

It drives every client again, judges it, and puts the rows into docs/sdk/clients.md.
"""

import sys
import tempfile
from pathlib import Path

from tests.browser import open_browser
from tests.sdks.clients import DOCUMENT, NODE_RUNS, PAGE_RUNS, PYTHON_RUNS, row
from tests.sdks.house import collecting, drive, load
from tests.sdks.pages import drive_page, serving_pages

BEGIN, END = "<!-- made by python -m tests.sdks.clients_table -->", "<!-- end of table -->"
HEAD = "| client | version | mode | meant: events + calls | automatic | reported by |\n|---|---|---|---|---|---|"


def main() -> None:
    """Drive everything in one house, judge it, and write the table."""
    runs = [*PYTHON_RUNS, *NODE_RUNS, *PAGE_RUNS]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with collecting(data) as url, serving_pages() as pages, open_browser() as browser:
            said = drive(PYTHON_RUNS, url) | drive(NODE_RUNS, url)
            said |= {run.name: drive_page(browser, pages, run, url) for run in PAGE_RUNS}
        views = load(data)
    rows = "\n".join([HEAD, *(row(run, said[run.name], views) for run in runs)])
    head, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{rows}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.stdout.write(f"{len(runs)} runs judged\n")


if __name__ == "__main__":
    main()
