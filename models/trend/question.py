"""What a trend asks: series of events with a measure each, formulas over them, and an earlier period beside."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import ascii_uppercase
from typing import Any, Literal, get_args

from sqlglot import exp

from models.breakdown import Breakdown
from models.calendar import Calendar, Interval, Period
from models.errors import QuestionError, require_choice
from models.filters import PropertyOf
from models.intervals import require_bounded_intervals
from models.matching import Step
from models.parts import Part
from models.questions import Question, columns_named
from models.trend.formula import formula_sql

Measure = Literal[
    "total",
    "subjects",
    "per_subject",
    "sum",
    "average",
    "min",
    "max",
    "median",
    "percentile",
    "sum_per_subject",
    "distinct",
]
Occurrence = Literal["all", "first_time", "last_time", "first_in_period", "last_in_period"]
ShiftUnit = Literal["period", "day", "week", "month", "quarter", "year"]

MAX_SERIES = len(ascii_uppercase)
OF_PROPERTY: tuple[Measure, ...] = (
    "sum",
    "average",
    "min",
    "max",
    "median",
    "percentile",
    "sum_per_subject",
    "distinct",
)
ADDED_UP: tuple[Measure, ...] = ("total", "subjects", "sum")
ZERO_WHERE_EMPTY: tuple[Measure, ...] = ("total", "subjects", "sum", "distinct")


@dataclass(frozen=True, kw_only=True)
class Series(Step):
    """One line of a trend: the events that match any of the alternatives, and what is measured of them.

    "total" counts events, "subjects" who did them, "per_subject" events per subject who did them. The others measure
    the numbers of `property` ("distinct": its different values): events without one do not exist for them, and
    "sum_per_subject" is the sum per subject who has one. `percentile` is 0 to 100. `occurrence` keeps one event per
    subject: its first or last among all there ever were, counted if it lies in the period, or among the period's.
    """

    measure: Measure = "total"
    property: PropertyOf | None = None
    percentile: float | None = None
    occurrence: Occurrence = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("measure", self.measure, get_args(Measure))
        require_choice("occurrence", self.occurrence, get_args(Occurrence))
        if (self.property is not None) != (self.measure in OF_PROPERTY):
            needs = "needs a property" if self.measure in OF_PROPERTY else "measures no property: leave it out"
            raise QuestionError(f"The measure {self.measure!r} {needs}.")
        if (self.percentile is not None) != (self.measure == "percentile"):
            raise QuestionError("percentile is the number, 0 to 100, that goes with the measure 'percentile'.")
        if self.percentile is not None and not 0 <= self.percentile <= 100:
            raise QuestionError(f"percentile is {self.percentile}: choose one of 0 to 100.")


@dataclass(frozen=True)
class Formula(Part):
    """Arithmetic over the series, such as "B / A * 100": each goes by its name or by its letter, A for the first."""

    formula: str
    name: str | None = None

    @property
    def label(self) -> str:
        """The name, or the formula itself where it has none."""
        return self.name or self.formula


@dataclass(frozen=True)
class Comparison(Part):
    """The earlier period beside the one asked for: `count` times its own length or a calendar unit before it."""

    shift: ShiftUnit = "period"
    count: int = 1

    def __post_init__(self) -> None:
        require_choice("shift", self.shift, get_args(ShiftUnit))
        if not 1 <= self.count <= 1000:
            raise QuestionError(f"A comparison goes 1 to 1000 times its shift back, not {self.count}.")

    def period(self, period: Period, calendar: Calendar) -> Period:
        """The period compared with, by the clock: a day stays a day where it has 23 or 25 hours."""
        if not period.start or not period.end:
            raise QuestionError("A comparison needs a period with a start and an end.")
        start, end = calendar.local_clock(period.start), calendar.local_clock(period.end)
        length = end - start
        try:
            before, ended = (self._before(moment, length) for moment in (start, end))
        except (OverflowError, ValueError) as error:
            raise QuestionError(f"{self.count} {self.shift}s before {start} leaves the calendar.") from error
        # Days that the shorter month lacks are its last ones: the 30th of March goes with the 29th of February.
        return Period(before, ended if before < ended else before + length)

    def _before(self, moment: datetime, length: timedelta) -> datetime:
        if self.shift in ("period", "day", "week"):
            one = {"period": length, "day": timedelta(days=1), "week": timedelta(days=7)}[self.shift]
            return moment - one * self.count
        months = {"month": 1, "quarter": 3, "year": 12}[self.shift] * self.count
        year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
        return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


@dataclass(frozen=True, kw_only=True)
class TrendQuestion(Question):
    """How much and how many, over time.

    `interval` null makes one number of the whole period. `cumulative` adds up totals and sums from the first interval
    on, and counts subjects once, in the first interval that has them. Groups of a breakdown beyond its limit, those
    with the fewest events of the first series, are one; who is in several of them counts once there.
    """

    series: tuple[Series, ...]
    formulas: tuple[Formula, ...] = ()
    interval: Interval | None = "day"
    breakdown: Breakdown | None = None
    comparison: Comparison | None = None
    cumulative: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_bounded_intervals(self.interval, self.period)
        if not 1 <= len(self.series) <= MAX_SERIES:
            raise QuestionError(f"A trend has 1 to {MAX_SERIES} series, not {len(self.series)}.")
        self._require_own_names()
        self.formulas_over({name: exp.null() for name in self.series_names})
        if self.comparison:
            self.comparison.period(self.period, self.calendar(Calendar()))
        for each in self.series if self.cumulative else ():
            if each.measure not in ADDED_UP:
                raise QuestionError(f"cumulative adds up {', '.join(ADDED_UP)}: {each.measure!r} cannot be added up.")

    @property
    def series_names(self) -> Mapping[str, int]:
        """Every name that a formula has for a series, and the position of the series."""
        names = dict(zip(ascii_uppercase, range(len(self.series)), strict=False))
        return names | {each.name: position for position, each in enumerate(self.series) if each.name}

    def formulas_over(self, values: Mapping[str, exp.Expr]) -> list[exp.Expr]:
        """The formulas as SQL over the values of the series; raises QuestionError where one cannot be read."""
        return [formula_sql(each.formula, values) for each in self.formulas]

    def _require_own_names(self) -> None:
        given = [each.name for each in self.series if each.name] + [each.name for each in self.formulas if each.name]
        for name in given:
            if given.count(name) > 1:
                raise QuestionError(f"The name {name!r} is given twice: series and formulas need names of their own.")
        letters = ascii_uppercase[: len(self.series)]
        for position, each in enumerate(self.series):
            if each.name and each.name in letters and letters[position] != each.name:
                raise QuestionError(f"The series {each.name!r} is the letter of another: give it a longer name.")


@dataclass(frozen=True)
class TrendRow:
    """One value: of a series or formula (counted on from the series), an interval and a group.

    `interval_start` is local time, null for a whole period without a start. `compared_value` is that of the interval at
    the same position of the earlier period, null where that has fewer.
    """

    series_index: int
    series_name: str
    interval_start: datetime | None
    breakdown: tuple[str, ...] | None
    value: float | None
    compared_start: datetime | None
    compared_value: float | None


@dataclass(frozen=True)
class TrendNumber(Part):
    """Which value: its people are those behind the events measured; a formula has none of its own."""

    series_index: int = 1
    interval_start: datetime | None = None
    breakdown: tuple[str, ...] | Literal["other"] | None = None
    is_compared: bool = False


def columns_of_number(question: TrendQuestion, of: TrendNumber) -> dict[str, Any]:
    """The columns of the row that a number is in; raises QuestionError for one of a formula, which counts nobody."""
    series_count = len(question.series)
    if series_count < of.series_index <= series_count + len(question.formulas):
        formula = question.formulas[of.series_index - series_count - 1]
        raise QuestionError(
            f"series_index {of.series_index} is the formula {formula.label!r}, and a formula counts nobody itself: "
            f"ask for the people of a series, {' or '.join(map(str, range(1, series_count + 1)))}."
        )
    named = columns_named(question, of)
    if of.is_compared and "interval_start" in named:
        named["compared_start"] = named.pop("interval_start")
    return named
