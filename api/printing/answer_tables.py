"""Answers to questions as tables, as CSV, and as lists of people."""

import csv
import io
from collections.abc import Callable, Collection, Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from api.counts import count_text
from api.durations import duration_text
from api.printing import terminal
from api.printing.retention_tables import print_retention
from api.printing.tables import new_table, number_text, plain_text, print_table, share_text
from models.questions import QuestionKind

Json = dict[str, Any]

_OWN_TABLES: dict[str, Callable[[Console, Json], None]] = {
    "funnel": terminal.print_funnel,
    "retention": print_retention,
    "sales-path": terminal.print_sales_path,
}
# What makes a table wider than most terminals, and says least: left to --format csv.
_LEFT_OUT = {
    "interval": ("p10_s", "p90_s", "average_per_subject_s", "pairs_per_subject"),
    "sessions": ("bounced_subject_count",),
}
_MIDNIGHT = "T00:00:00"


def print_answer(out: Console, name: str, answer: Json, output: str) -> None:
    """The answer whole as JSON, or its rows: as CSV, in a table of its kind, or in a plain one."""
    if output == "json":
        terminal.print_json_value(out, answer)
        return
    if output == "csv":
        _print_csv(out, answer["rows"], list(answer["rows"][0]) if answer["rows"] else [])
        return
    if not answer["rows"]:
        out.print("no rows", style="dim")
    elif name in _OWN_TABLES:
        _OWN_TABLES[name](out, answer)
    else:
        left_out = _LEFT_OUT.get(name, ())
        print_table(out, table_of(answer["rows"], left_out))
        if left_out:
            out.print(f"--format csv also has {', '.join(left_out)}", style="dim", highlight=False)
    terminal.print_watermark(out, answer)


def table_of(rows: list[Json], left_out: Collection[str] = ()) -> Table:
    """One line per row; columns without a value in any row are left out, too, but for what was asked."""
    names = [
        name
        for name in rows[0]
        if name == "value" or (name not in left_out and any(row[name] not in (None, []) for row in rows))
    ]
    titles = {name: name.removesuffix("_s").replace("_", "\n") for name in names}
    numbers = [name for name in names if all(isinstance(row[name], int | float | None) for row in rows)]
    moments = [name for name in names if name.endswith(("_start", "_at"))]
    right, unbroken = (tuple(titles[name] for name in some) for some in (numbers, moments))
    table = new_table(*titles.values(), right=right, unbroken=unbroken)
    for row in rows:
        table.add_row(*(plain_text(_cell(name, row[name])) for name in names))
    return table


def print_people(out: Console, people: Json, output: str) -> None:
    """Who is behind a number: as JSON, as CSV, or one a line and their count; that a list was cut is said on stderr."""
    if output == "json":
        terminal.print_json_value(out, people)
    elif output == "csv":
        _print_csv(out, [{"subject_id": subject} for subject in people["subjects"]], ["subject_id"])
    else:
        out.file.write("".join(f"{subject}\n" for subject in people["subjects"]))
        out.print(count_text(people["count"], "subject"), style="dim", highlight=False)
    terminal.warn_of_cut_list(people)


def print_kinds(out: Console, kinds: Iterable[QuestionKind[Any]]) -> None:
    """The questions there are, and what each asks."""
    table = new_table("question", "asks", unbroken=("question",))
    for kind in kinds:
        table.add_row(kind.name, kind.summary)
    print_table(out, table)
    out.print("Each is explained in docs/concepts, and by /docs of the server.", style="dim", highlight=False)


def _print_csv(out: Console, rows: list[Json], columns: list[str]) -> None:
    """A header line and the rows, lists joined by semicolons; safe to pipe."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _csv_value(name, value) for name, value in row.items()})
    out.file.write(text.getvalue())


def _csv_value(name: str, value: Any) -> Any:
    if value is None and name == "breakdown":
        return "Other"
    return ";".join(value) if isinstance(value, list) else value


def _cell(name: str, value: Any) -> str:
    """A value as people read it: shares, durations, times of day only where they say something."""
    if value is None:
        return "Other" if name == "breakdown" else "–"
    if isinstance(value, list):
        return ", ".join(str(each) or "(none)" for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith(("_rate", "share")):
        return share_text(value)
    if name.endswith("_s"):
        return duration_text(value)
    if isinstance(value, int | float):
        return number_text(value)
    return str(value).removesuffix(_MIDNIGHT).replace("T", " ") if name.endswith(("_start", "_at")) else str(value)
