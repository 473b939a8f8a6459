"""Retention on the terminal: who came back, and what those who did were worth."""

from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import Any

from rich.console import Console

from api.printing.tables import new_table, number_text, plain_text, print_table, share_text

Json = dict[str, Any]

_SIDE_WIDTH = 20  # of cohort and size
_LEAST_WIDTH = 8  # of a period


def print_retention(out: Console, answer: Json, title: str = "") -> None:
    """One line per cohort; the shares of those who came back in each later period, and their value if asked."""
    question = answer["question"]
    mode, unit, value = question["mode"].replace("_", " "), question["interval"], question["value"]
    title = title or f"Retention by {unit} ({mode}): who came back n {unit}s later"
    # Where everyone of a cohort is in period 0, that column of shares would say nothing.
    first_period = 1 if question["period_0"] == "cohort" else 0
    _print_cells(out, answer, title, first_period, lambda row: share_text(row["retention_rate"]))
    if value:
        title = f"{value['aggregate'].capitalize()} of {value['property']} of those who are counted"
        _print_cells(out, answer, title, 0, lambda row: number_text(row["value"]))


def _print_cells(out: Console, answer: Json, title: str, first_period: int, text: Callable[[Json], str]) -> None:
    """A column per period; how many do not fit is said, and where they are."""
    rows, has_groups = answer["rows"], bool(answer["question"]["breakdown"])
    columns = sorted({(row["period_index"], row["first_interval"], row["last_interval"]) for row in rows})[
        first_period:
    ]
    width = max([_LEAST_WIDTH, *(len(text(row)) + 2 for row in rows)])
    shown = columns[: max(1, (out.width - _SIDE_WIDTH) // width)]
    names = [f"+{first}" if first == last else f"+{first}-{last}" for _, first, last in shown]
    groups = ("group",) if has_groups else ()
    table = new_table(*groups, "cohort", "size", *names, title=title, right=("size", *names), unbroken=("cohort",))
    for (group, start), cells in groupby(rows, itemgetter("breakdown", "cohort_start")):
        of_period = {cell["period_index"]: cell for cell in cells}
        said = [text(of_period[index]) if index in of_period else "" for index, _, _ in shown]
        named = [plain_text("Other" if group is None else ", ".join(group) or "(none)")] if has_groups else []
        size = f"{of_period[0]['cohort_size']:,}"
        table.add_row(*named, start.removesuffix("T00:00:00").replace("T", " "), size, *said)
    print_table(out, table)
    if len(shown) < len(columns):
        fit = f"{len(shown)} of {len(columns)} periods fit here; --format csv has all"
        out.print(fit, style="dim", highlight=False)
