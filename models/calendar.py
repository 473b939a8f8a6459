"""The project's calendar: its time zone, its week, and the periods questions are asked about.

Instants are UTC inside; a naive datetime from a caller is local time of the project. Periods are half-open.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

from models.errors import QuestionError, require_choice
from models.parts import Part

WeekStart = Literal["monday", "sunday"]
TimeUnit = Literal["day", "week", "month"]
Interval = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_LENGTHS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}


@dataclass(frozen=True)
class Calendar:
    """How the project reads time: an IANA time zone name and the first day of its week."""

    timezone: str = "UTC"
    week_start: WeekStart = "monday"

    def __post_init__(self) -> None:
        require_choice("week_start", self.week_start, get_args(WeekStart))
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError) as error:
            message = f"There is no time zone {self.timezone!r}: use an IANA name such as 'Asia/Shanghai'."
            raise QuestionError(message) from error

    def to_utc(self, moment: datetime) -> datetime:
        """The instant as a naive UTC datetime; a naive `moment` is read as local time."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone))
        return aware.astimezone(UTC).replace(tzinfo=None)

    def local_date(self, moment: datetime) -> date:
        """The project's date at that moment; a naive `moment` is read as local time."""
        return moment.astimezone(ZoneInfo(self.timezone)).date() if moment.tzinfo else moment.date()

    def local_clock(self, moment: datetime) -> datetime:
        """What the project's clock shows at that moment, naive; a naive `moment` is that already."""
        return moment.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None) if moment.tzinfo else moment

    def day_start_utc(self, day: date) -> datetime:
        """The first instant of a local day, as a naive UTC datetime."""
        return self.to_utc(datetime.combine(day, time.min))

    def unit_start(self, day: date, unit: TimeUnit) -> date:
        """The first day of the day, week or month that holds `day`."""
        if unit == "month":
            return day.replace(day=1)
        if unit == "week":
            days_into_week = day.weekday() if self.week_start == "monday" else (day.weekday() + 1) % 7
            return day - timedelta(days=days_into_week)
        return day

    def next_unit_start(self, day: date, unit: TimeUnit) -> date:
        """The first day of the unit after the one that holds `day`."""
        start = self.unit_start(day, unit)
        if unit == "month":
            return date(start.year + start.month // 12, start.month % 12 + 1, 1)
        return start + timedelta(days=7 if unit == "week" else 1)

    def interval_start(self, moment: datetime, interval: Interval) -> datetime:
        """The local time at which the interval that holds the moment starts, naive; see `to_utc` for the moment."""
        local = self.local_clock(moment).replace(second=0, microsecond=0)
        if interval in ("minute", "hour"):
            return local if interval == "minute" else local.replace(minute=0)
        if interval in ("quarter", "year"):
            month = local.month - (local.month - 1) % 3 if interval == "quarter" else 1
            return datetime(local.year, month, 1)  # noqa: DTZ001  # local by what it means
        return datetime.combine(self.unit_start(local.date(), cast(TimeUnit, interval)), time.min)

    def next_interval_start(self, moment: datetime, interval: Interval) -> datetime:
        """The local time at which the interval after the one that holds the moment starts, naive."""
        start = self.interval_start(moment, interval)
        if interval in _MONTHS:
            month = start.month - 1 + _MONTHS[interval]
            return start.replace(year=start.year + month // 12, month=month % 12 + 1)
        return start + _LENGTHS[interval]


@dataclass(frozen=True)
class Period(Part):
    """The half-open stretch [start, end) a question is about; None leaves that side open."""

    start: datetime | None = None
    end: datetime | None = None

    def bounds_utc(self, calendar: Calendar) -> tuple[datetime | None, datetime | None]:
        """Both ends as naive UTC datetimes; raises QuestionError when the period is empty."""
        try:
            start = calendar.to_utc(self.start) if self.start else None
            end = calendar.to_utc(self.end) if self.end else None
        except (OverflowError, ValueError) as error:
            raise QuestionError(f"The period {self.start} to {self.end} leaves the calendar: {error}.") from error
        if start and end and start >= end:
            raise QuestionError(f"The period {self.start} to {self.end} is empty: let it start before it ends.")
        return start, end

    def unit_dates(self, calendar: Calendar, unit: TimeUnit) -> tuple[date | None, date | None]:
        """First days of the first and the last unit the period touches; None where the period is open."""
        self.bounds_utc(calendar)
        first = calendar.unit_start(calendar.local_date(self.start), unit) if self.start else None
        last_moment = self.end - timedelta(microseconds=1) if self.end else None
        last = calendar.unit_start(calendar.local_date(last_moment), unit) if last_moment else None
        return first, last


ALL_TIME = Period()
