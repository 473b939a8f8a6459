"""What an operator's act would move, and what it moved, on the terminal."""

from typing import Any

from rich.console import Console

from api.counts import count_text
from api.printing.identity_lines import SHORT_ID, identity_text
from api.printing.tables import new_table, plain_text, print_table

Values = dict[str, Any]
_COLUMNS = ("number", "before", "after")
_MOST_LISTED = 20


def print_foreseen(out: Console, preview: Values) -> None:
    """Who would change person, and what people ask, before and after."""
    moved = preview["foreseen"]["moved"]
    events = sum(each["event_count"] for each in moved["events"])
    counts = (
        (len(moved["identities"]), "identity changes person", "identities change person"),
        (events, "event changes person", "events change person"),
        (moved["events_of_another_account"], "event changes account", "events change account"),
        (moved["memberships"], "membership comes or goes", "memberships come or go"),
    )
    said = [count_text(count, one, many) for count, one, many in counts if count]
    if not said:
        out.print("Nobody moves by that.")
        return
    out.print(f"{'; '.join(said)}.", highlight=False, soft_wrap=True)
    _print_identities(out, moved["identities"])
    _print_numbers(out, preview["foreseen"]["numbers"])


def _print_identities(out: Console, identities: list[Values]) -> None:
    """Ids as short as `onepath identity why` takes them."""
    if not identities:
        return
    table = new_table("identity", "person before", "person after", unbroken=("person before", "person after"))
    for each in identities[:_MOST_LISTED]:
        name = identity_text(each["identity_key"], each["identity_value"])
        table.add_row(plain_text(name), each["person_before"][:SHORT_ID], each["person_after"][:SHORT_ID])
    print_table(out, table)
    if len(identities) > _MOST_LISTED:
        out.print(f"{_MOST_LISTED} of {len(identities):,} identities are shown.", style="dim", highlight=False)


def _print_numbers(out: Console, numbers: list[Values]) -> None:
    changed = [each for each in numbers if each["before"] != each["after"]]
    if changed:
        table = new_table(*_COLUMNS, right=_COLUMNS[1:], unbroken=_COLUMNS[1:])
        for each in changed:
            table.add_row(_name(each), f"{each['before']:,}", f"{each['after']:,}")
        print_table(out, table)
    if same := len(numbers) - len(changed):
        stays = count_text(same, "number stays", "numbers stay")
        out.print(f"{stays} as before (persons, accounts, sales path, weekly retention).", highlight=False)


def print_now(out: Console, preview: Values, now: dict[tuple[str, str], int]) -> None:
    """Whether the act did what was foreseen."""
    out.print("Done: the act is in the log, and loaded.")
    foreseen = {(each["question"], each["of"]): each["after"] for each in preview["foreseen"]["numbers"]}
    differing = [name for name in {**foreseen, **now} if foreseen.get(name, 0) != now.get(name, 0)]
    if not differing:
        out.print("All numbers are as foreseen.")
        return
    table = new_table("number", "foreseen", "now", right=("foreseen", "now"), unbroken=("foreseen", "now"))
    for question, of in differing:
        said = {"question": question, "of": of}
        table.add_row(_name(said), f"{foreseen.get((question, of), 0):,}", f"{now.get((question, of), 0):,}")
    print_table(out, table)
    out.print("These differ from what was foreseen, by messages that were loaded meanwhile.", highlight=False)


def _name(each: Values) -> Any:
    return plain_text(each["question"] + (f": {each['of']}" if each["of"] else ""))
