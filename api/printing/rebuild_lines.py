"""A rebuild on the terminal: how far it is, and how the result compares.

The bar is on standard error, so that the result can be piped.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from api.counts import count_text
from api.printing.tables import new_table, plain_text, print_table
from api.rebuilding import Rebuilt
from warehouse.load import LoadReport
from warehouse.rebuild import Progress as Told
from warehouse.rebuild import kept_path, log_bytes

_EXAMPLE_CHARS = 300


@contextmanager
def rebuild_progress(log: Path) -> Iterator[Told]:
    """A bar over the bytes of the log, with messages per second."""
    columns = (TextColumn("Rebuilding"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[rate]}"))
    began_s, messages = time.monotonic(), 0
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=log_bytes(log), rate="")

        def tell(behind: int, report: LoadReport) -> None:
            nonlocal messages
            messages += report.messages
            rate = messages / max(time.monotonic() - began_s, 1e-9)
            bar.update(task, completed=behind, rate=f"{rate:,.0f} messages/s")

        yield tell


def print_rebuilt(out: Console, rebuilt: Rebuilt, path: Path, *, is_check: bool, keep: bool) -> None:
    """The comparison view by view, then what became of the files."""
    if rebuilt.comparisons is not None:
        numbers = ("equal", "only old", "only new")
        table = new_table("view", *numbers, right=numbers, unbroken=("view", *numbers))
        for each in rebuilt.comparisons:
            table.add_row(each.view, f"{each.equal:,}", f"{each.only_old:,}", f"{each.only_new:,}")
        print_table(out, table)
        _print_examples(out, rebuilt)
    if rebuilt.comparisons is not None and rebuilt.old_watermark != rebuilt.new_watermark:
        out.print(
            "The old warehouse had not loaded the whole log: what it lacked is among `only new`.",
            highlight=False,
            soft_wrap=True,
        )
    _print_refused_again(out, rebuilt)
    if is_check:
        out.print(f"{_verdict(rebuilt)}; nothing was changed.", highlight=False, soft_wrap=True)
        return
    out.print(plain_text(f"{path} is rebuilt from the log."), soft_wrap=True)
    if keep and rebuilt.comparisons is not None:
        out.print(
            plain_text(f"The old one is kept as {kept_path(path)}; remove it when you need it no more."), soft_wrap=True
        )


def _verdict(rebuilt: Rebuilt) -> str:
    if rebuilt.is_equal:
        return "A rebuild equals the warehouse"
    if rebuilt.is_equal_after_replay:
        return "Nothing else differs: after that replay a rebuild equals the warehouse"
    return "A rebuild differs from the warehouse"


def _print_refused_again(out: Console, rebuilt: Rebuilt) -> None:
    if rebuilt.refused_again:
        subject = count_text(rebuilt.refused_again, "message is", "messages are")
        out.print(
            f"{subject} refused again by the plan that was in force when they came; run `onepath replay` afterwards.",
            highlight=False,
            soft_wrap=True,
        )


def _print_examples(out: Console, rebuilt: Rebuilt) -> None:
    for each in rebuilt.comparisons or []:
        for side, example in (("old", each.example_old), ("new", each.example_new)):
            if example is not None:
                shown = example if len(example) <= _EXAMPLE_CHARS else example[:_EXAMPLE_CHARS] + "…"
                out.print(plain_text(f"{each.view}, only {side}: {shown}"), style="dim", soft_wrap=True)
