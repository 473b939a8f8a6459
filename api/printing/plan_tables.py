"""Plan and catalog on the terminal: tables for people."""

from typing import Any

from rich.console import Console
from rich.text import Text

from api.printing.tables import new_table, plain_text, print_table, share_text


def print_applied(out: Console, mode: str, file_name: str, sha256: str, in_force_from: str) -> None:
    """What `onepath plan apply` did."""
    out.print(plain_text(f"Applied {file_name} (sha256 {sha256[:12]}), mode {mode}."), highlight=False, soft_wrap=True)
    out.print(f"It judges what arrives from {in_force_from[:19].replace('T', ' ')} UTC on.", highlight=False)


def print_plan(out: Console, answer: dict[str, Any], text: str) -> None:
    """The plan in force as its file would have it, and what deviated so far."""
    applied_at = answer["applied_at"][:19].replace("T", " ")
    head = f"# {answer['file_name']}, applied {applied_at} UTC by {answer['operator']}, sha256 {answer['sha256'][:12]}"
    out.print(plain_text(head), style="dim", soft_wrap=True)
    for line in text.splitlines():
        out.print(plain_text(line), soft_wrap=True)
    if answer["violations"]:
        table = new_table("event", "property", "reason", "messages", title="Deviations of kept messages", right=_COUNTS)
        for each in answer["violations"]:
            where = each["event_name"] or f"({each['target']})"
            table.add_row(
                plain_text(where), plain_text(each["property"] or ""), each["reason"], f"{each['message_count']:,}"
            )
        print_table(out, table)


_COUNTS = ("messages",)


def print_check(out: Console, answer: dict[str, Any]) -> None:
    """Per deviation its place and, below, what is wrong there; 80 columns are enough."""
    if answer["is_as_planned"]:
        out.print("All that came is as planned.")
        return
    columns = ("kind", "count", "share")
    table = new_table(*columns, "event: property", right=("count", "share"), unbroken=columns)
    for each in answer["deviations"]:
        table.add_row(
            each["kind"],
            f"{each['count']:,}",
            "" if each["share"] is None else share_text(each["share"]),
            _place_and_detail(each),
        )
    print_table(out, table)


def _place_and_detail(deviation: dict[str, Any]) -> Text:
    place = deviation["event_name"] or f"({deviation['target']})"
    if deviation["property"]:
        place += f": {deviation['property']}"
    close = f"; did you mean {deviation['close_name']!r}?" if deviation["close_name"] else ""
    return Text("\n").join([plain_text(place), Text(plain_text(deviation["detail"] + close).plain, "dim")])


def print_catalog(out: Console, answer: dict[str, Any]) -> None:
    """One line per event; of one event its properties."""
    if not answer["events"]:
        out.print("No events have come yet.")
    elif answer["question"]["event"] is not None:
        _print_event(out, answer["events"][0])
    else:
        _print_events(out, answer["events"])
    for target in ("person", "account"):
        if answer[f"{target}_properties"]:
            _print_properties(out, answer[f"{target}_properties"], f"Properties of {target}s")


def _print_events(out: Console, events: list[dict[str, Any]]) -> None:
    columns = ("event", "count", "persons", "first seen", "last seen", "properties", "from")
    table = new_table(*columns, right=("count", "persons", "properties"), unbroken=("count", "first seen", "last seen"))
    for event in events:
        table.add_row(
            plain_text(event["event_name"]),
            f"{event['count']:,}",
            f"{event['persons']:,}",
            event["first_seen_at"][:10],
            event["last_seen_at"][:10],
            f"{len(event['properties']):,}",
            plain_text(", ".join(sdk["sdk"] for sdk in event["sdks"])),
        )
    print_table(out, table)


def _print_event(out: Console, event: dict[str, Any]) -> None:
    first, last = (event[f"{which}_seen_at"][:19].replace("T", " ") for which in ("first", "last"))
    lines = {
        "count": f"{event['count']:,}",
        "persons": f"{event['persons']:,}",
        "seen": f"{first} to {last} UTC",
        "sources": ", ".join(event["sources"]),
        "SDKs": ", ".join(" ".join((sdk["sdk"], *sdk["versions"])) for sdk in event["sdks"]),
    }
    out.print(plain_text(event["event_name"]), style="bold")
    for name, value in lines.items():
        out.print(Text.assemble((f"  {name:<8}", "dim"), plain_text(value or "–")), soft_wrap=True)
    _print_properties(out, event["properties"], "")


def _print_properties(out: Console, properties: list[dict[str, Any]], title: str) -> None:
    columns = ("property", "type", "share", "values", "examples", "also came as")
    table = new_table(*columns, title=title, right=("share", "values"), unbroken=("type", "share", "values"))
    for each in properties:
        table.add_row(
            plain_text(each["property_name"]),
            each["type"] or "–",
            share_text(each["share"]),
            f"{each['distinct_estimate']:,}" if each["distinct_estimate"] else "–",
            plain_text(", ".join(_shortened(example) for example in each["examples"])),
            ", ".join(f"{other['type']} ({other['count']:,})" for other in each["other_types"]),
        )
    print_table(out, table)


def _shortened(example: Any) -> str:
    text = str(example)
    return text if len(text) <= 24 else f"{text[:23]}…"
