"""The project's calendar: its time zone, its week, and the periods questions are asked about.

Instants are UTC inside; a naive datetime from a caller is local time of the project. Periods are half-open. A moment
before the year 1 or after 9999, which no datetime can say, is the first or the last that one can: no event lies there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from models.errors import QuestionError, require_choice
from models.parts import Part

WeekStart = Literal["monday", "sunday"]
Interval = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_LENGTHS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
_FIRST, _LAST = datetime.min, datetime.max  # noqa: DTZ901  # naive, as clocks and UTC are here
_NO_ZONES = ("posix/", "right/", "posixrules", "localtime")
"""Files that lie beside those of the time zones, by which no database knows one."""


@dataclass(frozen=True)
class Calendar:
    """How the project reads time: an IANA time zone name and the first day of its week."""

    timezone: str = "UTC"
    week_start: WeekStart = "monday"

    def __post_init__(self) -> None:
        require_choice("week_start", self.week_start, get_args(WeekStart))
        message = f"There is no time zone {self.timezone!r}: use an IANA name such as 'Asia/Shanghai'."
        if self.timezone.startswith(_NO_ZONES):
            raise QuestionError(message)
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError) as error:
            raise QuestionError(message) from error

    def to_utc(self, moment: datetime) -> datetime:
        """The instant as a naive UTC datetime; a naive `moment` is read as local time."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone))
        return _clock(aware, UTC)

    def local_clock(self, moment: datetime) -> datetime:
        """What the project's clock shows at that moment, naive; a naive `moment` is that already."""
        return _clock(moment, ZoneInfo(self.timezone)) if moment.tzinfo else moment

    def interval_start(self, moment: datetime, interval: Interval) -> datetime:
        """The local time at which the interval that holds the moment starts, naive; see `to_utc` for the moment."""
        local = self.local_clock(moment).replace(second=0, microsecond=0)
        if interval == "minute":
            return local
        local = local.replace(minute=0)
        if interval == "hour":
            return local
        day = local.replace(hour=0)
        if interval == "week":
            return shifted(day, -timedelta(days=(day.weekday() + (self.week_start == "sunday")) % 7))
        if interval in _MONTHS:
            return day.replace(month=day.month - (day.month - 1) % _MONTHS[interval], day=1)
        return day

    def next_interval_start(self, moment: datetime, interval: Interval) -> datetime:
        """The local time at which the interval after the one that holds the moment starts, naive."""
        start = self.interval_start(moment, interval)
        if interval in _MONTHS:
            month = start.month - 1 + _MONTHS[interval]
            if start.year + month // 12 > _LAST.year:
                return _LAST
            return start.replace(year=start.year + month // 12, month=month % 12 + 1)
        return shifted(start, _LENGTHS[interval])


def shifted(moment: datetime, by: timedelta) -> datetime:
    """The moment moved, at most to an end of the calendar."""
    try:
        return moment + by
    except OverflowError:
        return (_LAST if by > timedelta() else _FIRST).replace(tzinfo=moment.tzinfo)


def _clock(aware: datetime, zone: tzinfo) -> datetime:
    try:
        return aware.astimezone(zone).replace(tzinfo=None)
    except (OverflowError, ValueError):  # within a day of an end of the calendar
        return _FIRST if aware.year == _FIRST.year else _LAST


@dataclass(frozen=True)
class Period(Part):
    """The half-open stretch [start, end) a question is about; None leaves that side open."""

    start: datetime | None = None
    end: datetime | None = None

    def bounds_utc(self, calendar: Calendar) -> tuple[datetime | None, datetime | None]:
        """Both ends as naive UTC datetimes; raises QuestionError when the period is empty."""
        start = calendar.to_utc(self.start) if self.start else None
        end = calendar.to_utc(self.end) if self.end else None
        if start and end and start >= end:
            raise QuestionError(f"The period {self.start} to {self.end} is empty: let it start before it ends.")
        return start, end


ALL_TIME = Period()
