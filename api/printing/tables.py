"""Tables on the terminal: how all of them look, and how text of senders gets into them."""

from rich import box
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text


def new_table(*columns: str, title: str = "", right: tuple[str, ...] = (), unbroken: tuple[str, ...] = ()) -> Table:
    """An empty table; columns of `right` are numbers, those of `unbroken` keep their words on one line."""
    table = Table(
        title=plain_text(title) if title else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        justify: JustifyMethod = "right" if column in right else "left"
        table.add_column(Text(column), justify=justify, overflow="fold", no_wrap=column in unbroken)
    return table


def plain_text(text: str) -> Text:
    """What a sender wrote, as nothing but text: no markup, no escapes that drive the terminal."""
    return Text("".join(character if character.isprintable() else " " for character in text))


def share_text(share: float | None) -> str:
    """A share of 0..1 as people read it."""
    return "–" if share is None else f"{share:.1%}"
