"""What the demo prints at its end: what came, what was merged, refused and taken back, the sales path, retention."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from api.acting import Preview
from api.asking import Ask, project_path
from api.counts import count_text
from api.demo.correction import OPERATOR
from api.printing import terminal
from api.printing.identity_lines import identity_text
from api.printing.retention_tables import print_retention
from api.settings import Settings

RETENTION_WEEKS = 8

_TOTALS = """
select
    (select count(*) from events) as events,
    (select count(*) from calls) as calls,
    (select count(*) from persons) as persons,
    (select count(*) from accounts where account_type = 'account') as accounts,
    (select count(*) from accounts where account_type = 'family') as families,
    (select count(*) from identity_links where outcome = 'merged') as merged,
    (select count(*) from identity_links where outcome = 'refused') as refused
"""


def print_report(out: Console, settings: Settings, ask: Ask, corrections: list[Preview]) -> None:
    """Ask the running server as any user would, and print its answers; `corrections` are what was taken back."""
    _print_arrivals(out, ask("GET", project_path(settings, "arrivals")).json())
    answer = ask("POST", project_path(settings, "sql"), {"sql": _TOTALS}).json()
    totals = dict(zip(answer["columns"], answer["rows"][0], strict=True))
    out.print(
        f"{count_text(totals['events'], 'event')} and {count_text(totals['calls'], 'call')} of "
        f"{count_text(totals['persons'], 'person')}, {count_text(totals['accounts'], 'account')} and "
        f"{count_text(totals['families'], 'family', 'families')}. "
        f"{count_text(totals['merged'], 'time')} two known persons became one; "
        f"{count_text(totals['refused'], 'link was', 'links were')} refused (a second login on one device or number).",
        highlight=False,
    )
    for preview in corrections:
        _print_correction(out, preview)
    for by in ("account", "person"):
        terminal.print_sales_path(out, ask("POST", project_path(settings, "sales-path"), {"by": by}).json())
    of_families = ask("POST", project_path(settings, "sales-path"), {"by": "account", "account_type": "family"}).json()
    terminal.print_sales_path(out, of_families)
    question = {"interval": "week", "periods": RETENTION_WEEKS, "mode": "first_time"}
    print_retention(out, ask("POST", project_path(settings, "retention"), question).json())


def _print_correction(out: Console, preview: Preview) -> None:
    ends = [identity_text(**preview["details"][side]) for side in ("left", "right")]
    moved = preview["foreseen"]["moved"]
    event_count = sum(each["event_count"] for each in moved["events"])
    out.print(
        f"1 link was taken back by the {OPERATOR}, {ends[0]} typed wrongly for {ends[1]}: teachers of two schools had "
        f"become one person. {count_text(event_count, 'event')} and "
        f"{count_text(len(moved['identities']), 'identity', 'identities')} moved to another person, "
        f"{count_text(moved['events_of_another_account'], 'event')} to another school.",
        highlight=False,
    )


def _print_arrivals(out: Console, rows: list[dict[str, Any]]) -> None:
    table = Table(title="What arrived", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("protocol", "record type", "became", "reason"):
        table.add_column(column)
    table.add_column("messages", justify="right")
    for row in rows:
        table.add_row(
            row["protocol"],
            row["record_type"] or "(unreadable)",
            row["outcome"],
            row["reason"] or "",
            f"{row['message_count']:,}",
        )
    out.print(table)
