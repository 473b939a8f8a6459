"""Answers on the terminal: tables for people, JSON and CSV for programs."""

import json
import sys
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console
from rich.text import Text

from api.counts import count_text
from api.durations import duration_text
from api.printing.tables import new_table, plain_text, print_table, share_text
from api.settings import Settings

if TYPE_CHECKING:
    from api.backlog import Backlog
    from warehouse.load import LoadReport


def print_json(out: Console, response: httpx.Response) -> None:
    """The answer as it came, indented; safe to pipe."""
    out.file.write(json.dumps(response.json(), ensure_ascii=False, indent=2) + "\n")


def print_json_value(out: Console, value: Any) -> None:
    """A value as JSON, indented; safe to pipe."""
    out.file.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_addresses(out: Console, settings: Settings) -> None:
    """Where to send events and where to click."""
    collector, server = settings.collector, settings.server
    out.print(f"Send events to  http://{collector.host}:{collector.port}  (/sa, /v1/batch, /events)")
    out.print(f"Board           http://{server.host}:{server.port}/")
    out.print(f"API             http://{server.host}:{server.port}/docs")
    out.print("Stop with Ctrl-C.")


def warn_of_backlog(backlog: "Backlog | None") -> None:
    """On stderr: what the answer does not hold yet, when no server loads it."""
    if backlog is not None and backlog.record_count:
        Console(stderr=True).print(
            f"onepath: no server runs, and {count_text(backlog.record_count, 'request is', 'requests are')} not loaded "
            f"yet ({count_text(backlog.byte_count, 'byte')} of the log); `onepath load --once` loads what came",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def warn_of_cut_list(people: dict[str, Any]) -> None:
    """Say on stderr that a list holds fewer people than were counted; nothing when it holds all."""
    listed, count = len(people["subjects"]), people["count"]
    if listed < count:
        note = f"onepath: {listed:,} of {count:,} are listed; --people with --sql prints the statement that lists all"
        Console(stderr=True).print(note, style="yellow", highlight=False, soft_wrap=True)


def warn_of_settings(differing: list[str]) -> None:
    """On stderr: this shell judges messages by other settings than those the folder was loaded with."""
    for clause in differing:
        Console(stderr=True).print(
            plain_text(f"onepath: judged by the settings of this shell: {clause}"),
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def warn_of_unknown_events(sentences: list[str]) -> None:
    """On stderr: a misspelt event is no error, but its zeros should not be taken for an answer."""
    for sentence in sentences:
        Console(stderr=True).print(plain_text(f"onepath: {sentence}"), style="yellow", soft_wrap=True)


def print_load(out: Console, reports: "list[LoadReport]") -> None:
    """What `onepath load --once` took from the log."""
    messages = sum(report.messages for report in reports)
    duplicates = sum(report.duplicates for report in reports)
    rejects = sum(report.rejects for report in reports)
    requests = sum(report.records for report in reports)
    out.print(
        f"Loaded {count_text(requests, 'request')}: {count_text(messages - duplicates, 'message')} kept, "
        f"{count_text(duplicates, 'duplicate')}, {count_text(rejects, 'reject')}.",
        highlight=False,
    )


def print_refresh(out: Console, report: dict[str, Any]) -> None:
    """What a refresh computed."""
    how = "rebuilt" if report["is_rebuild"] else "refreshed"
    out.print(
        f"{how.capitalize()} {count_text(report['dates'], 'day')} of {', '.join(report['marts'])}.", highlight=False
    )


def print_rows(out: Console, response: httpx.Response, output: str) -> None:
    """Rows of a statement as a table, CSV or a JSON list of objects."""
    if output == "csv":
        is_cut = response.headers.get("x-onepath-cut") == "true"
        out.file.write(response.text)
    else:
        answer = response.json()
        is_cut = answer["is_cut"]
        if output == "json":
            rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
            out.file.write(json.dumps(rows, ensure_ascii=False) + "\n")
        else:
            _print_answer_rows(out, answer["columns"], answer["rows"])
    if is_cut:
        sys.stderr.write("onepath: more rows than the limit; raise ONEPATH_WAREHOUSE__QUERY_MAX_ROWS to see all\n")


def _print_answer_rows(out: Console, columns: list[str], rows: list[list[Any]]) -> None:
    """A table where it fits the terminal; else each row upright, one line a column."""
    cells = [["" if value is None else _cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    if sum(widths) + 2 * len(widths) <= out.width:
        table = new_table(*columns)
        for row in cells:
            table.add_row(*map(plain_text, row))
        print_table(out, table)
        return
    longest = max(map(len, columns))
    for number, row in enumerate(cells, start=1):
        out.print(f"row {number}", style="bold")
        for name, cell in zip(columns, row, strict=True):
            if cell:
                out.print(plain_text(f"  {name:<{longest}}  {cell}"), soft_wrap=True)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def print_funnel(out: Console, answer: dict[str, Any]) -> None:
    """One table per group of the breakdown."""
    breakdown = answer["question"]["breakdown"]
    names = ", ".join(each["property"] for each in breakdown["by"]) if breakdown else ""
    for group, steps in groupby(answer["rows"], key=itemgetter("breakdown")):
        value = "Other" if group is None else ", ".join(part or "(none)" for part in group)
        title = f"{names} = {value}" if names else ""
        table = new_table("step", "count", "of first", "of previous", "median time", title=title, right=_FUNNEL_RIGHT)
        for step in steps:
            table.add_row(
                plain_text(f"{step['step_index']}. {step['step_name']}"),
                f"{step['subject_count']:,}",
                share_text(step["conversion_rate"]),
                share_text(step["step_conversion_rate"]),
                duration_text(step["median_time_from_previous_s"]),
            )
        print_table(out, table)


_FUNNEL_RIGHT = ("count", "of first", "of previous", "median time")


def print_sales_path(out: Console, answer: dict[str, Any]) -> None:
    """The stages in order."""
    columns = ("entered", "reached", "of\nfirst", "of\nprev.", "skipped", "out of\norder", "median\ntime")
    question = answer["question"]
    title = f"Sales path by {question['account_type'] if question['by'] == 'account' else question['by']}"
    table = new_table("stage", *columns, title=title, right=columns)
    for stage in answer["rows"]:
        table.add_row(
            plain_text(f"{stage['stage_index']}. {stage['stage_name']}"),
            f"{stage['entered']:,}",
            f"{stage['reached']:,}",
            share_text(stage["conversion_rate"]),
            share_text(stage["step_conversion_rate"]),
            f"{stage['skipped']:,}",
            f"{stage['out_of_order']:,}",
            duration_text(stage["median_time_from_previous_s"]),
        )
    print_table(out, table)


def print_watermark(out: Console, answer: dict[str, Any]) -> None:
    """How much of the log an answer holds."""
    out.print(f"data as of {answer['watermark'] or 'an empty log'}", style="dim", highlight=False)


def print_doctor(out: Console, settings: Settings, condition: list[tuple[str, str]], *, is_whole: bool) -> None:
    """How things stand, then the settings with their values and origins: those that were set, or every one."""
    for what, how in condition:
        out.print(Text.assemble((f"{what}: ", "bold"), how), soft_wrap=True)
    out.print()
    lines = list(settings.lines())
    shown = [line for line in lines if is_whole or line.origin != "default"]
    for line in shown:
        setting = Text.assemble((line.name, "bold"), f" = {line.value}  ", (f"({line.origin})", "cyan"))
        out.print(setting, soft_wrap=True)
        out.print(Text(f"    {line.doc}", style="dim"), soft_wrap=True)
    if rest := len(lines) - len(shown):
        kept = count_text(rest, "setting has its default", "settings have their default")
        out.print(f"{kept}; `onepath doctor --all` shows all", soft_wrap=True)
