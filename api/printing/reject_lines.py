"""Rejects, replays and arrivals on the terminal: what happened, and what to do next.

What a sender wrote is shown as nothing but text, in its own script.
"""

import json
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from api.counts import count_text
from api.printing.tables import new_table, plain_text, print_table

_SUMMARY = ("#", "reason", "protocol", "event", "first (UTC)", "last (UTC)")
_NAME_CELLS = 20


def print_summary(out: Console, kinds: list[dict[str, Any]]) -> None:
    """One line per kind of reject, and one below with its newest detail; 80 columns are enough."""
    if not kinds:
        out.print("No rejects.")
        return
    rows = [_summary_cells(kind) for kind in kinds]
    widths = [max(map(cell_len, column)) for column in zip(_SUMMARY, *rows, strict=True)]
    out.print(_aligned(_SUMMARY, widths), style="bold", soft_wrap=True)
    for kind, row in zip(kinds, rows, strict=True):
        out.print(_aligned(row, widths), soft_wrap=True)
        out.print(_one_line(out, f"    e.g. {kind['example']}"), style="dim", soft_wrap=True)
    out.print()


def _summary_cells(kind: dict[str, Any]) -> tuple[str, ...]:
    name = plain_text(kind["event_name"] or "–")
    name.truncate(_NAME_CELLS, overflow="ellipsis")
    seen = [_short_moment(kind[each]) for each in ("first_received_at", "last_received_at")]
    return (f"{kind['reject_count']:,}", kind["reason"], kind["protocol"] or "–", name.plain, *seen)


def _aligned(cells: tuple[str, ...], widths: list[int]) -> Text:
    """Cells side by side, the count to the right; wide characters count as two."""
    padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
    padded[0] = padded[0].strip().rjust(widths[0])
    return plain_text(" ".join(padded).rstrip())


def _one_line(out: Console, text: str) -> Text:
    """As much of it as one line of the terminal holds."""
    line = plain_text(text)
    line.truncate(out.width, overflow="ellipsis")
    return line


def _short_moment(text: str) -> str:
    return str(text)[5:16].replace("T", " ")


def print_newest(out: Console, rejects: list[dict[str, Any]], *, is_full: bool) -> None:
    """The newest rejects with their place in the log; with `is_full` each original whole."""
    for reject in rejects:
        names = [reject["protocol"], reject["record_type"], reject["event_name"]]
        head = plain_text(f"  {_moment(reject['received_at'])} UTC  {' '.join(name for name in names if name)}")
        out.print(Text.assemble((reject["reason"], "bold"), head), soft_wrap=True)
        out.print(plain_text(f"    {reject['detail']}"), soft_wrap=True)
        file, offset = f"{reject['log_file']:012d}", reject["log_offset"]
        place = f"log {reject['stream']}/{file}, offset {offset}, message {reject['message_index']}"
        out.print(plain_text(f"    {place}"), style="dim", soft_wrap=True)
        if is_full:
            _print_original(out, reject["original"])
        else:
            _print_beginning(out, reject)


def print_next_step(out: Console) -> None:
    """What to do about rejects."""
    out.print(
        "\nMend the sender, the plan or the setting that refused them; `onepath replay` then sends them through again "
        "(`--dry-run` says what would come back).",
        highlight=False,
        soft_wrap=True,
    )


def print_replay(out: Console, report: dict[str, Any], *, server_url: str | None = None) -> None:
    """What became of the rejects that were sent through again; `server_url`: which server judged them."""
    if server_url is not None:
        out.print(f"Judged by the server at {server_url} with its settings.", highlight=False, soft_wrap=True)
    if not report["tried"]:
        out.print("No rejects to replay.")
        return
    still = sum(report["still_rejected"].values())
    verb = "Would send" if report["is_dry_run"] else "Sent"
    out.print(
        f"{verb} {count_text(report['tried'], 'reject')} through again: {count_text(report['events'], 'event')} and "
        f"{count_text(report['calls'], 'call')} come back, "
        f"{count_text(report['duplicates'], 'is a duplicate', 'are duplicates')}, "
        f"{count_text(still, 'is', 'are')} still refused.",
        highlight=False,
        soft_wrap=True,
    )
    for reason, count in sorted(report["still_rejected"].items(), key=lambda item: (-item[1], item[0])):
        hint = "  (only its beginning was kept: it cannot come back)" if reason == "body_too_large" else ""
        out.print(plain_text(f"  {count:,} {reason}{hint}"), soft_wrap=True)
    for name, (one, many) in _REMARKS.items():
        if report[name]:
            out.print(plain_text(f"  {count_text(report[name], one, many)}"), soft_wrap=True)


_REMARKS = {
    "resends": (
        "resend accepted meanwhile gives way to what came first, and counts as a duplicate",
        "resends accepted meanwhile give way to what came first, and count as duplicates",
    ),
    "gone": (
        "is of a log file that is no longer there: it stays a reject",
        "are of log files that are no longer there: they stay rejects",
    ),
}


def print_arrivals(out: Console, arrivals: list[dict[str, Any]]) -> None:
    """What came, by kind, and what became of it."""
    if not arrivals:
        out.print("Nothing has arrived.")
        return
    table = new_table("protocol", "record type", "outcome", "reason", "messages", right=("messages",))
    for kind in arrivals:
        names = [kind[name] or "–" for name in ("protocol", "record_type", "outcome", "reason")]
        table.add_row(*map(plain_text, names), f"{kind['message_count']:,}")
    table.add_section()
    table.add_row("", "", "", "all", f"{sum(kind['message_count'] for kind in arrivals):,}")
    print_table(out, table)


def _moment(text: str) -> str:
    return str(text)[:19].replace("T", " ")


def _print_beginning(out: Console, reject: dict[str, Any]) -> None:
    if reject["original"] is None:
        length = count_text(reject["original_length"], "byte")
        shown = f"({length}, dropped here to keep the budget; --original reads the log)"
    else:
        original = " ".join(reject["original"].split())
        shown = original
    out.print(_one_line(out, f"    {shown}"), style="dim", soft_wrap=True)


def _print_original(out: Console, original: str | None) -> None:
    for line in pretty(original).splitlines():
        out.print(plain_text(f"    {line}"), soft_wrap=True)


def pretty(original: str | None) -> str:
    """An original as people read it: JSON indented, in its own script."""
    if original is None:
        return "(its log file is gone, and the original with it)"
    try:
        return json.dumps(json.loads(original), ensure_ascii=False, indent=2)
    except ValueError:
        return original
