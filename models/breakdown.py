"""Splitting an answer by the values of properties: groups, numeric buckets, and the rest as Other.

In answers a group is a list of texts, one per property, "" where the value is missing; the rest is null.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite

from sqlglot import exp

from models.columns import Columns
from models.errors import QuestionError
from models.filters import PropertyOf, text_of
from models.parts import Part
from models.sql import fragment, literal

MAX_PROPERTIES = 10
MAX_BUCKETS = 100


@dataclass(frozen=True)
class BreakdownProperty(PropertyOf):
    """One property to split by. `buckets` [10, 20] makes the groups "< 10", "[10, 20)" and ">= 20" of a number."""

    buckets: tuple[float, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.buckets) > MAX_BUCKETS or not is_growing(self.buckets):
            raise QuestionError(
                f"The buckets of {self.property!r} are at most {MAX_BUCKETS} growing boundaries, each a finite number."
            )


@dataclass(frozen=True)
class Breakdown(Part):
    """By which properties an answer is split; with a limit, all but the largest groups become one, the rest."""

    by: tuple[BreakdownProperty, ...]
    limit: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.by) <= MAX_PROPERTIES:
            raise QuestionError(f"A breakdown is by 1 to {MAX_PROPERTIES} properties, not {len(self.by)}.")
        if self.limit is not None and self.limit < 1:
            raise QuestionError(f"The limit of a breakdown is at least 1, not {self.limit}.")

    @classmethod
    def of(cls, *names: str, limit: int | None = None) -> "Breakdown":
        """By event properties of these names."""
        return cls(tuple(map(BreakdownProperty, names)), limit)


def is_growing(boundaries: Sequence[float]) -> bool:
    """Whether they are finite and each is greater than the one before, as the numbers that are compared."""
    numbers = [float(each) for each in boundaries]
    return all(map(isfinite, numbers)) and all(lower < higher for lower, higher in pairwise(numbers))


def group_texts(breakdown: Breakdown, columns: Columns) -> list[exp.Expr]:
    """The group of an event, a text for each property."""
    return [_group_text(each, columns) for each in breakdown.by]


def _group_text(wanted: BreakdownProperty, columns: Columns) -> exp.Expr:
    if not wanted.buckets:
        return fragment("coalesce($text, '')", text=columns.text(wanted))
    number, case = columns.number(wanted), exp.Case()
    case.when(fragment("$number is null", number=number), literal(""), copy=False)
    for lowest, highest in zip((None, *wanted.buckets), wanted.buckets, strict=False):
        name = f"< {text_of(highest)}" if lowest is None else f"[{text_of(lowest)}, {text_of(highest)})"
        case.when(fragment("$number < $highest", number=number, highest=float(highest)), literal(name), copy=False)
    return case.else_(literal(f">= {text_of(wanted.buckets[-1])}"), copy=False)
