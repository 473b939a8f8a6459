"""Accounts on the terminal."""

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from api.counts import count_text
from api.printing.tables import new_table, plain_text, print_table


def print_account(out: Console, answer: dict[str, Any]) -> None:
    """What an account is, and who is in it."""
    out.print(plain_text(f"{answer['account_type']} {answer['account_id']}"), style="bold", soft_wrap=True)
    first, last = (_moment(answer[f"{which}_seen_at"]) for which in ("first", "last"))
    lines = {
        "name": answer["name"] or "",
        "counts for": answer["merged_into"] or "",
        "seen": f"{first} to {last} UTC" if first else "",
        "members": f"{answer['person_count']:,} now, {answer['member_count']:,} ever",
        "events": f"{answer['event_count']:,}",
        **{name: str(value) for name, value in json.loads(answer["properties"] or "{}").items() if name != "name"},
    }
    for name, value in lines.items():
        if value:
            label = plain_text(f"  {name:<12}")
            label.stylize("dim")
            out.print(Text.assemble(label, plain_text(value)), soft_wrap=True)
    if not answer["memberships"]:
        return
    table = new_table("person", "joined (UTC)", "left (UTC)", unbroken=("joined (UTC)", "left (UTC)"))
    for each in answer["memberships"]:
        table.add_row(each["person_id"], _moment(each["joined_at"]), _moment(each["left_at"]))
    print_table(out, table)
    if answer["membership_count"] > len(answer["memberships"]):
        in_all = count_text(answer["membership_count"], "membership")
        out.print(f"{in_all} in all; --limit lists more.", highlight=False)


def print_merge(out: Console, answer: dict[str, Any], into_id: str) -> None:
    """What a merge would move."""
    account_type, account_id = answer["account_type"], answer["account_id"]
    if answer["merged_into"] is not None:
        now = answer["merged_into"]
        text = f"{account_type} {account_id} counts for {now} already; a merge would point it at {into_id}."
    else:
        persons, memberships, events = (
            count_text(answer[f"{what}_count"], what) for what in ("member", "membership", "event")
        )
        text = f"{persons}, {memberships} and {events} of {account_type} {account_id} would count for {into_id}."
    out.print(plain_text(text), soft_wrap=True)


def _moment(text: str | None) -> str:
    return "" if text is None else text[:19].replace("T", " ")
