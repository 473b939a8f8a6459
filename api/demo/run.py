"""The demo: both services on a fresh folder, the story posted by real SDKs, and what Onepath makes of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.acting import Preview
from api.answering import answers
from api.asking import Ask, project_path
from api.counts import count_text
from api.demo.calls import STAGES, Stage
from api.demo.correction import take_back
from api.demo.report import print_report
from api.demo.senders import post
from api.demo.story import Story, tell
from api.errors import ApiError
from api.printing import terminal
from api.project_file import FILE_NAME, default_project_file
from api.services.running import Services, both_services
from api.settings import Settings, read_settings

DEMO_DATA = Path("demo-data")
# The demo's persons keep their ids from run to run; a real project gets a salt of its own.
DEMO_SALT = "onepath demo: not a secret"
LOAD_TIMEOUT_S = 120.0


def run_demo(
    out: Console,
    data: Path | None,
    collector_port: int | None,
    server_port: int | None,
    *,
    scale: float,
    then: Callable[[Services], None] | None,
) -> None:
    """Run the demo to its tables; then keep serving with `then`, or end."""
    folder = _fresh_folder(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text(default_project_file(DEMO_SALT, stages_text()), encoding="utf-8")
    settings = read_settings(folder, {"collector.port": collector_port, "server.port": server_port})
    started = time.monotonic()
    # Progress and times go to stderr: what stdout gets is the same on every run.
    notes = Console(stderr=True)
    with both_services(settings) as services:
        with _progress(notes) as progress:
            story = _write_story(progress, scale)
            services.wait_until_healthy()
            with answers(settings) as (ask, _):
                corrections = _play(progress, settings, ask, story)
        with answers(settings) as (ask, _):
            print_report(out, settings, ask, corrections)
        notes.print(
            f"All of this took {count_text(round(time.monotonic() - started), 'second')}.", style="dim", highlight=False
        )
        if then is not None:
            terminal.print_addresses(out, settings)
            out.print(
                f"Ask it from a second terminal, as in: onepath sales-path --data {settings.data}", soft_wrap=True
            )
            then(services)


def _fresh_folder(data: Path | None) -> Path:
    if data is not None:
        if data.exists() and any(data.iterdir()):
            raise ApiError(f"the demo wants a fresh folder, and {data} is not empty; name another with --data")
        return data
    folder, number = DEMO_DATA, 1
    while folder.exists() and any(folder.iterdir()):
        number += 1
        folder = DEMO_DATA.with_name(f"{DEMO_DATA.name}-{number}")
    return folder


def _progress(notes: Console) -> Progress:
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=notes)


def _write_story(progress: Progress, scale: float) -> Story:
    writing = progress.add_task("Writing the story", total=1)
    story = tell(scale=scale)
    progress.update(writing, completed=1)
    return story


def _play(progress: Progress, settings: Settings, ask: Ask, story: Story) -> list[Preview]:
    """Everything that happens, in its order; returns what the operator's corrections were to move."""
    total = sum(len(shipment.calls) for shipment in story.shipments)
    posting = progress.add_task("Posting it with the real SDKs", total=total)
    url = f"http://{settings.collector.host}:{settings.collector.port}"
    post(story, url, lambda count: progress.advance(posting, count))
    loading = progress.add_task("Loading the log into the warehouse", total=total)
    _wait_until_loaded(settings, ask, lambda count: progress.update(loading, completed=count))
    correcting = progress.add_task("Taking wrong links back", total=len(story.retracted))
    corrections = list[Preview]()
    for left, right in story.retracted:
        corrections.append(take_back(settings, ask, left, right))
        progress.advance(correcting)
    refreshing = progress.add_task("Refreshing the marts", total=1)
    ask("POST", project_path(settings, "refresh"), {})
    progress.update(refreshing, completed=1)
    return corrections


def _wait_until_loaded(settings: Settings, ask: Ask, show: Callable[[int], None]) -> None:
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    while time.monotonic() < deadline:
        show(_arrived(settings, ask))
        status = ask("GET", project_path(settings, "status")).json()
        if not status["backlog"]["record_count"]:
            show(_arrived(settings, ask))
            return
        time.sleep(0.1)
    raise ApiError(f"the log was not loaded within {LOAD_TIMEOUT_S:g} seconds; see the server's messages above")


def _arrived(settings: Settings, ask: Ask) -> int:
    rows: list[dict[str, Any]] = ask("GET", project_path(settings, "arrivals")).json()
    return sum(row["message_count"] for row in rows)


def stages_text() -> str:
    """The story's stages as `onepath.toml` writes them."""
    return "\n".join(_stage_text(stage) for stage in STAGES)


def _stage_text(stage: Stage) -> str:
    where = ""
    if stage.filter is not None:
        name, _, least = stage.filter
        where = f', where = [{{ property = "{name}", op = "gte", value = {least} }}]'
    matches = ", ".join(f'{{ event = "{event}"{where} }}' for event in stage.event_names)
    return f'[[stages]]\nname = "{stage.name}"\nany_of = [{matches}]\n'
