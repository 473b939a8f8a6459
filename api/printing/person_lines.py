"""One person on the terminal: what is kept of them, what would go, what went."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from api.forgetting import Deleted, Preview
from api.printing.tables import new_table, plain_text, print_table
from warehouse.rebuild import log_bytes

_PARTS = ("identities", "links", "accounts", "events", "calls", "rejects", "requests")


def export_text(export: dict[str, Any]) -> str:
    """The file of an export: for people and programs."""
    return json.dumps(export, ensure_ascii=False, indent=2) + "\n"


def print_exported(out: Console, export: dict[str, Any], path: Path) -> None:
    """What the file holds."""
    counts = ", ".join(f"{len(export[part]):,} {part}" for part in _PARTS)
    out.print(plain_text(f"{path} holds person {export['person_id']}: {counts}."), soft_wrap=True)


@contextmanager
def log_progress(title: str, log: Path) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of the log, on standard error."""
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=log_bytes(log))
        yield lambda byte_count: bar.advance(task, byte_count)


def print_preview(out: Console, preview: Preview) -> None:
    """What would go, and what would stay."""
    out.print(plain_text(f"Person {preview.person_id}"), soft_wrap=True)
    table = new_table("what goes", "count", right=("count",), unbroken=("what goes", "count"))
    for what, count in (
        ("identities", preview.counts.identities),
        ("events", preview.counts.events),
        ("calls", preview.counts.calls),
        ("resends and messages that a plan refused", preview.duplicates),
        ("rejects, bare requests and acts that mention a value", preview.rejects),
        ("log files to rewrite", preview.survey.files_to_rewrite()),
    ):
        table.add_row(what, f"{count:,}")
    print_table(out, table)
    if shared := preview.shared_values:
        values = ", ".join(shared[:10]) + (", ..." if len(shared) > 10 else "")
        out.print(plain_text(f"Stays where others sent it, too: {values}"), soft_wrap=True)


def print_deleted(out: Console, deleted: Deleted) -> None:
    """What was done, and whether anybody else changed."""
    erasures, report = deleted.swept.erasures, deleted.swept.report
    out.print(
        plain_text(
            f"Person {deleted.person_id} is gone: {erasures.messages:,} messages, {erasures.rejects:,} rejects and "
            f"{erasures.acts:,} acts in {report.rewritten:,} log files; the warehouse is rebuilt."
        ),
        soft_wrap=True,
    )
    if deleted.changed_rows:
        out.print(
            plain_text(
                f"{deleted.changed_rows:,} events or calls of others are not as before, because they rested on what is "
                "gone (a property's first type, a key that two persons used): docs/operations/forgetting.md"
            ),
            style="yellow",
            soft_wrap=True,
        )
    out.print(
        "Backups and copies that you made still hold the person: delete them, or restore them only beside the data "
        "folder's forgotten.json.",
        soft_wrap=True,
    )
