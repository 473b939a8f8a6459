"""Retention as people draw it: a row for each cohort, a column for each period after it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from models.retention import RetentionRow


@dataclass(frozen=True)
class Cohort:
    """One cohort with its cells, period 0 first; what has not begun has no cell."""

    start_date: date
    size: int
    cells: tuple[RetentionRow, ...]


def cohorts_of(rows: Iterable[RetentionRow]) -> tuple[Cohort, ...]:
    """The cohorts of an answer without breakdown, oldest first."""
    by_start = groupby(rows, lambda row: (row.cohort_start.date(), row.cohort_size))
    return tuple(Cohort(start_date, size, tuple(cells)) for (start_date, size), cells in by_start)
