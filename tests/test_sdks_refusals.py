"""A collector that cannot keep anything for a while, and the clients written in JavaScript: who still has its messages?

The log's folder is moved away while a client starts to tell its story, and brought back after the client was refused.
The table in docs/sdk/refusals.md says the same.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.sdks.clients import NODE_RUNS, PAGE_RUNS
from tests.sdks.house import Run, collecting, drive, load
from tests.sdks.pages import drive_pages
from tests.sdks.scenario import Json, story
from tests.waiting import until

pytestmark = pytest.mark.sdks

# Whether what was refused still arrives.
KEEPS = {
    "sa-sdk-node gzip": False,
    "sa-sdk-miniprogram batch": True,
    "sa-sdk-miniprogram single": False,
    "@segment/analytics-node batches": True,
    "@rudderstack/rudder-sdk-node gzip": True,
    "sa-sdk-javascript image": False,
    "sa-sdk-javascript ajax": False,
    "sa-sdk-javascript beacon": False,
    "sa-sdk-javascript batch": True,
    "@segment/analytics-next single": True,
    "@segment/analytics-next batching": True,
}
RUNS = [run for run in (*NODE_RUNS, *PAGE_RUNS) if f"{run.client} {run.mode}" in KEEPS]


def test_the_table_names_clients_that_are_driven() -> None:
    assert len(RUNS) == len(KEEPS)


@contextmanager
def refusing(data: Path, url: str) -> Iterator[None]:
    """Nothing can be kept from here on, until somebody was refused and the block has waited for that."""
    folder = data / "log" / "collector"
    elsewhere = data / "elsewhere"
    folder.rename(elsewhere)
    with ThreadPoolExecutor(1) as pool:
        mended = pool.submit(_mend_after_a_refusal, folder, elsewhere, url)
        yield
        mended.result()


def _mend_after_a_refusal(folder: Path, elsewhere: Path, url: str) -> None:
    until(lambda: bool(refusals(url)), "a refusal")
    threading.Event().wait(1.0)  # clients that do not wait go on and are refused again
    elsewhere.rename(folder)
    until(lambda: httpx.get(f"{url}/ready", timeout=5).is_success, "the collector is ready")


def refusals(url: str) -> dict[str, int]:
    """How many requests the collector refused, by reason."""
    refused: dict[str, int] = httpx.get(f"{url}/health", timeout=5).json()["refused"]
    return refused


def tell(run: Run, url: str) -> Json:
    """Let one client tell its story, in a process or in a page."""
    return (drive if run in NODE_RUNS else drive_pages)([run], url)[run.name]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_client_that_is_refused_keeps_its_messages_or_loses_them(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collecting(data, ONEPATH_COLLECTOR__RETRY_AFTER_S="1") as url:
        with refusing(data, url):
            said = tell(run, url)
        assert sum(refusals(url).values()) >= 1
    views = load(data)
    meant = [entry["step"] for entry in said["sent"] if "at_ms" in entry]
    found = [
        row["properties"]["step"] for row in views.events if row["properties"].get("run") == story(run.name)["run"]
    ]
    assert len(set(found)) == len(found), "nothing came twice"
    assert set(found) <= set(meant)
    lost = len(meant) - len(found)
    assert (lost == 0) == KEEPS[f"{run.client} {run.mode}"], f"{lost} of {len(meant)} lost; it said {said['failures']}"
