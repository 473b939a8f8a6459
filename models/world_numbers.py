"""The numbers that people look at first, asked in two worlds and compared: what an act about identity would change.

Persons, accounts with events, the sales path stage by stage, and weekly cohorts with those who came back a week later.
"""

from dataclasses import dataclass

from models import retention, sales_path
from models.asking import ask
from models.calendar import Calendar
from models.matching import Stage
from warehouse.reader import Snapshot

Numbers = dict[tuple[str, str], int]
"""By question and what it is asked of (a stage, a cohort's first day; empty where of all)."""

_COUNTS = {
    "persons": "select count(*) as number from persons",
    "accounts with events": "select count(distinct account_id) as number from events where account_id <> ''",
}


@dataclass(frozen=True)
class ComparedNumber:
    """One number before and after; 0 where a stage or a cohort is not there."""

    question: str
    of: str
    before: int
    after: int


def ask_numbers(snapshot: Snapshot, stages: tuple[Stage, ...], calendar: Calendar) -> Numbers:
    """Ask the world that a snapshot shows."""
    numbers: Numbers = {(name, ""): snapshot.query(sql)["number"][0].as_py() for name, sql in _COUNTS.items()}
    for by in ("person", "account"):
        question = sales_path.SalesPathQuestion(stages=stages, by=by)
        path = ask(sales_path.KIND, question, snapshot, calendar, "missing")
        numbers |= {(f"sales path by {by}", row.stage_name): row.reached for row in path.rows}
    weekly = retention.RetentionQuestion(interval="week", periods=1, mode="first_time")
    names = ("new persons by week", "of these, back a week later")
    for cell in ask(retention.KIND, weekly, snapshot, calendar).rows:
        numbers[names[cell.period_index], cell.cohort_start.date().isoformat()] = cell.retained_count
    return numbers


def compare_numbers(before: Numbers, after: Numbers) -> tuple[ComparedNumber, ...]:
    """Both answers side by side, question by question."""
    order = {question: place for place, question in enumerate(dict.fromkeys(name for name, _ in (*before, *after)))}
    names = sorted({**before, **after}, key=lambda name: order[name[0]])
    return tuple(ComparedNumber(*name, before.get(name, 0), after.get(name, 0)) for name in names)
