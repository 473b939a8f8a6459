"""Cases about retention as our question."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Period
from models.matching import Step
from models.retention import KIND, RetentionNumber, RetentionQuestion, RetentionRow, RetentionValue
from tests.conformance.cases import Asked, Case, after, entity, filters, moment, named, subject_of

MODES: dict[str, Any] = {"recurring": "recurring", "first_matching": "first_time", "first_ever": "first_ever"}
AGGREGATES: dict[str, Any] = {"sum": "sum", "avg": "average"}


def answer(asked: Asked) -> dict[str, Any]:
    """The table as lists; of brackets beside the plain columns; of every group, its own."""
    case = asked.case
    question = _question(case)
    if question.breakdown is None:
        return _table(asked, question, list(asked.ask(KIND, replace(question, brackets=())).rows), _bracket_rows(asked))
    plain = _by_group(asked.ask(KIND, replace(question, brackets=())).rows)
    brackets = _by_group(_bracket_rows(asked))
    tables = {group: _table(asked, question, rows, brackets.get(group, [])) for group, rows in plain.items()}
    return {"breakdowns": {group: table["rows"] for group, table in tables.items()}, "breakdown_tables": tables}


def _table(
    asked: Asked, question: RetentionQuestion, rows: list[RetentionRow], brackets: list[RetentionRow]
) -> dict[str, Any]:
    width = question.periods + 1
    cohorts = [list(cells) for _, cells in groupby(rows, lambda row: row.cohort_start)]
    counts = [[cell.retained_count for cell in cells] for cells in cohorts]
    values = [[cell.value or 0 for cell in cells] for cells in cohorts]
    if question.is_elapsed:  # there, what is beyond the range is 0
        counts, values = ([[*line, *[0] * (width - len(line))] for line in lines] for lines in (counts, values))
    bracket_counts = [
        [cell.retained_count for cell in cells] for _, cells in groupby(brackets, lambda row: row.cohort_start)
    ]
    starts = [cells[0].cohort_start for cells in cohorts]
    return {
        "rows": counts,
        "row": _numbered(counts),
        "starts": [start.isoformat()[: 16 if question.interval == "hour" else 10] for start in starts],
        "value_rows": values,
        "value_row": _numbered(values),
        "bracket_row": _numbered([[*line, *[0] * (len(question.brackets) + 1 - len(line))] for line in bracket_counts]),
        "appearances": _appearances(asked, question, cohorts) if "appearances" in asked.case.expect else {},
    }


def _appearances(asked: Asked, question: RetentionQuestion, cohorts: list[list[RetentionRow]]) -> dict[str, Any]:
    """By row, for each of its members the columns in which it counts."""
    appearances: dict[str, Any] = {}
    plain = replace(question, brackets=())
    for number, cells in enumerate(cohorts):
        columns: dict[str, list[int]] = defaultdict(list)
        for cell in cells:
            of = RetentionNumber(cohort_start=cell.cohort_start, period_index=cell.period_index)
            for name in asked.people(KIND, plain, of):
                columns[name].append(cell.period_index)
        appearances[str(number)] = columns
    return appearances


def _bracket_rows(asked: Asked) -> list[RetentionRow]:
    question = _question(asked.case)
    return list(asked.ask(KIND, question).rows) if question.brackets else []


def _by_group(rows: Any) -> dict[str, list[RetentionRow]]:
    groups: dict[str, list[RetentionRow]] = defaultdict(list)
    for row in rows:
        groups[row.breakdown[0]].append(row)
    return groups


def _numbered(lines: list[Any]) -> dict[str, Any]:
    return {str(number): line for number, line in enumerate(lines)}


def _question(case: Case) -> RetentionQuestion:
    query = case.query
    viewed = {"event": "$pageview"}
    value = query.get("value")
    return RetentionQuestion(
        start=Step(entity(query.get("target", viewed))),
        returning=Step(entity(query.get("returning", viewed))),
        interval=query["period"],
        periods=query["intervals"] - 1,
        brackets=tuple(query.get("brackets", ())),
        mode=MODES[query.get("mode", "recurring")],
        windows=query.get("window_mode", "calendar"),
        rolling=query.get("cumulative", False),
        min_occurrences=query.get("min_occurrences", 1),
        value=RetentionValue(value["property"], aggregate=AGGREGATES[value["agg"]]) if value else None,
        breakdown=_breakdown(query.get("breakdown")),
        period=_period(case),
        where=filters(query.get("where")),
        **subject_of(case),
    )


def _breakdown(wanted: dict[str, str] | None) -> Breakdown | None:
    if not wanted:
        return None
    name, owner = named(wanted)
    return Breakdown((BreakdownProperty(name, of=owner),))


def _period(case: Case) -> Period:
    """From the interval of `from`, or as many as asked, to that of `to`."""
    if "from" in case.query:
        return case.period
    start = case.calendar.interval_start(moment(case.query["to"]), case.query["period"])
    for _ in range(case.query["intervals"] - 1):
        start = _interval_before(case, start)
    return Period(start, after(case.query["to"]))


def _interval_before(case: Case, start: datetime) -> datetime:
    return case.calendar.interval_start(start - timedelta(microseconds=1), case.query["period"])
