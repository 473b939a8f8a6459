"""Numbers, rates, durations and moments as people of a language read them. Pure; the exact values stand beside them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from api.board.texts import TEXTS, Language

NOTHING = "–"
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60
_STEPS = ((_DAY_S, "days"), (_HOUR_S, "hours"), (_MINUTE_S, "minutes"), (1, "seconds"))


class Formats:
    """How one language writes values, with moments in one time zone."""

    def __init__(self, language: Language, timezone: str) -> None:
        self._text = TEXTS[language]
        self._zone = ZoneInfo(timezone)

    def count(self, value: int) -> str:
        """4812 as `4,812`."""
        return f"{value:,}"

    def rate(self, value: float | None) -> str:
        """0.123 as `12.3 %`; whole only where it is exact."""
        if value is None:
            return NOTHING
        digits = f"{value * 100:.0f}" if value in (0, 1) else f"{value * 100:.1f}"
        return self._text["percent"].format(number=digits)

    def whole_rate(self, value: float | None) -> str:
        """0.123 as `12`, for the cells of a picture; neither 0 nor 100 unless it is exactly that."""
        if value is None:
            return NOTHING
        if 0 < value < 0.005:
            return "<1"
        if 0.995 <= value < 1:
            return ">99"
        return f"{value * 100:.0f}"

    def duration(self, value_s: float | None) -> str:
        """273600 seconds as `3 d 4 h`: the two largest units, rounded."""
        if value_s is None:
            return NOTHING
        major = next((each for each, (size_s, _) in enumerate(_STEPS) if value_s >= size_s), len(_STEPS) - 1)
        least_s = _STEPS[min(major + 1, len(_STEPS) - 1)][0]
        left_s = round(value_s / least_s) * least_s
        parts = []
        for size_s, unit in _STEPS:
            number, left_s = divmod(left_s, size_s)
            if number:
                parts.append(self._text[unit].format(number=number))
        return " ".join(parts) or self._text["seconds"].format(number=0)

    def day(self, value: date) -> str:
        """A date with its year."""
        return self._text["day"].format(day=value.day, month=self._month(value), year=value.year)

    def short_day(self, value: date) -> str:
        """A date without its year, for the labels of a picture."""
        return self._text["short_day"].format(day=value.day, month=self._month(value))

    def moment(self, value: datetime) -> str:
        """An aware moment in the project's time zone, to the minute."""
        local = value.astimezone(self._zone)
        return f"{self.day(local.date())} {local:%H:%M}"

    def _month(self, value: date) -> str:
        return self._text["months"].split()[value.month - 1]
