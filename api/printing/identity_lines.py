"""One-ID on the terminal: why somebody is one person, who stopped growing, which rules are in force."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from api.counts import count_text
from api.printing.tables import new_table, plain_text, print_table

Values = dict[str, Any]

SHORT_ID = 13  # enough of a person's id to tell tens of millions apart, and taken wherever a person is asked for

UNBOUND = {
    "unbound": "free since a message unbound it",
    "parent_unbound": "free since the value above it was unbound",
    "replaced": "free since a newer value took its place",
}


def identity_text(key: str, value: str) -> str:
    """An identity as people read it: a preset key without its `$identity_`."""
    return f"{key.removeprefix('$identity_')}={value}"


def moment_text(text: str | None) -> str:
    """A UTC time to the second."""
    return "" if text is None else datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")


def print_why(out: Console, answer: Values, limit: int) -> None:
    """Every identity and the message that linked it, what does not count, and operators' acts."""
    out.print(Text.assemble("Person ", (answer["person_id"], "bold")), soft_wrap=True)
    out.print("Times are UTC.", style="dim")
    for each in answer["identities"]:
        _print_identity(out, each)
    if answer["unlinked_count"]:
        out.print()
        out.print(count_text(answer["unlinked_count"], "link does not count:", "links do not count:"), style="bold")
        for link in answer["unlinked"]:
            _print_unlinked(out, link, answer["person_id"])
        if answer["unlinked_count"] > len(answer["unlinked"]):
            out.print(f"The newest {limit} are shown; --limit shows more.", style="dim", highlight=False)
    if answer["acts"]:
        out.print()
        out.print("Operators' acts:", style="bold")
        for act in answer["acts"]:
            said = f"  {moment_text(act['received_at'])}  {act['operator']} {act['what']}"
            out.print(plain_text(said), soft_wrap=True)


def _print_identity(out: Console, each: Values) -> None:
    out.print()
    again = f" (time {each['incarnation'] + 1})" if each["incarnation"] else ""
    name = identity_text(each["identity_key"], each["identity_value"])
    out.print(plain_text(f"  {name}{again}"), style="bold", soft_wrap=True)
    _print_line(out, f"seen {moment_text(each['first_seen_at'])} to {moment_text(each['last_seen_at'])}")
    if each["is_unbound"]:
        _print_line(out, UNBOUND[each["unbound_because"]])
    _print_line(out, each["why"])
    if each["link"] is not None:
        _print_line(out, f"with {identity_text(each['link']['to_key'], each['link']['to_value'])}")
        _print_message(out, each["link"])
    if each["confirmed_by"]:
        _print_line(out, f"confirmed by {count_text(each['confirmed_by'], 'other link')}")


def _print_unlinked(out: Console, link: Values, person_id: str) -> None:
    out.print()
    ends = [identity_text(link[f"{end}_key"], link[f"{end}_value"]) for end in ("from", "to")]
    out.print(plain_text(f"  {ends[0]} – {ends[1]}"), style="bold", soft_wrap=True)
    _print_line(out, f"{link['outcome']}: {link['why']}")
    if link["to_person_id"] != person_id:
        _print_line(out, f"the other belongs to person {link['to_person_id']}")
    _print_message(out, link)


def _print_message(out: Console, link: Values) -> None:
    source = "" if not link["source"] else f", {link['source']}"
    moment = moment_text(link["linked_at"])
    _print_line(out, f"link {link['link_id']}, by {link['message']} of {moment} ({link['protocol']}{source})")
    _print_line(out, f"log {link['log_order']}", style="dim")


def _print_line(out: Console, text: str, style: str = "") -> None:
    out.print(plain_text(f"    {text}"), style=style, soft_wrap=True)


def print_alarms(out: Console, alarms: list[Values]) -> None:
    """Persons that stopped growing, the fullest first."""
    if not alarms:
        out.print("No person has reached a limit.", highlight=False)
        return
    columns = ("key", "values", "refused", "last refused (UTC)", "person")
    table = new_table(*columns, right=("values", "refused"), unbroken=columns[1:])
    for each in alarms:
        table.add_row(
            plain_text(each["identity_key"].removeprefix("$identity_")),
            f"{each['value_count']:,}",
            f"{each['refused_count']:,}",
            moment_text(each["last_refused_at"]),
            each["person_id"][:SHORT_ID],
        )
    print_table(out, table)
    for line in (
        "`onepath identity why PERSON` shows its links. A till, a shared tablet:",
        "`onepath identity block` it; else set a higher limit by `onepath identity rules`.",
    ):
        out.print(line, highlight=False, soft_wrap=True)


def print_rules(out: Console, answer: Values, text: str) -> None:
    """The rules set last and by whom, as a file has them, and what holds for each key that was seen or declared."""
    if answer["applied_at"] is None:
        out.print("No rules were set: the defaults hold.", highlight=False)
    else:
        said = (
            f"# {answer['file_name'] or 'rules'}, set {moment_text(answer['applied_at'])} UTC by {answer['operator']}"
        )
        out.print(plain_text(said), soft_wrap=True)
        out.file.write(text)
    columns = ("key", "priority", "values", "over limit", "parent", "status")
    table = new_table(*columns, right=("priority",), unbroken=columns[1:4])
    for each in answer["keys"]:
        table.add_row(
            plain_text(each["identity_key"]),
            str(each["priority"]),
            "one" if each["most"] == 1 else f"to {each['most']:,}",
            each["over_limit"].replace("_", " "),
            plain_text(each["parent"] or "–"),
            each["status"],
        )
    print_table(out, table)


def print_rules_applied(out: Console, changes: list[Values], file_name: str, from_us: int | None) -> None:
    """What new rules change, and from when on they hold."""
    if not changes:
        out.print("These rules say what those in force say.", highlight=False)
    else:
        table = new_table("setting", "before", "after")
        for each in changes:
            table.add_row(*(plain_text(str(each[name])) for name in ("setting", "before", "after")))
        print_table(out, table)
    if from_us is None:
        out.print("Nothing was changed.")
        return
    moment = datetime.fromtimestamp(from_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    said = f"{file_name} holds for what arrives from {moment} UTC on; persons stay as they are until then."
    out.print(plain_text(said), soft_wrap=True)
