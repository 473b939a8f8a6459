"""Tables on the terminal: how all of them look, and how text of senders gets into them."""

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_LEAST_WIDTH = 8  # of a column whose words may break


def new_table(*columns: str, title: str = "", right: tuple[str, ...] = (), unbroken: tuple[str, ...] = ()) -> Table:
    """An empty table; columns of `right` are numbers, which never break, and those of `unbroken` do not either."""
    table = Table(
        title=plain_text(title) if title else None,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        is_number = column in right
        table.add_column(
            Text(column),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=is_number or column in unbroken,
        )
    return table


def print_table(out: Console, table: Table) -> None:
    """Print it; where the terminal is too narrow, lines run over its edge rather than lose digits.

    A title may be wider than its table: it is a line of its own.
    """
    for column in table.columns:
        width = _width(column)
        column.min_width = width if column.no_wrap else min(width, _LEAST_WIDTH)
    if table.title:
        out.print(table.title, style="bold", soft_wrap=True)
        table.title = None
    out.print(table, crop=False)


def _width(column: Column) -> int:
    """Of its longest line, in cells: a Chinese character takes two."""
    texts = [str(column.header), *map(str, column.cells)]
    return max(cell_len(line) for text in texts for line in text.splitlines())


def plain_text(text: str) -> Text:
    """What a sender wrote, as nothing but text: no markup, no escapes that drive the terminal."""
    return Text("".join(character if character.isprintable() else " " for character in text))


def share_text(share: float | None) -> str:
    """A share of 0..1 as people read it."""
    return "–" if share is None else f"{share:.1%}"


def number_text(number: float | None) -> str:
    """A number with its thousands apart, and at most two decimals."""
    if number is None:
        return "–"
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.2f}"
