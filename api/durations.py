"""Durations as people write them: `14d`, `36h`, `30m`, `90s`; and as people read them."""

import re

from api.errors import ApiError

_UNITS_S = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


class BadDuration(ApiError):
    """A text that is no duration."""


def parse_duration(text: str, what: str = "a duration") -> float:
    """Seconds, more than 0. Raises `BadDuration`; `what` is how its sentence calls what was to be said."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([wdhms]?)", text.strip().lower())
    if match and not float(match[1]):
        raise BadDuration(f"{what} of {text} holds nothing: give it a length such as 14d, 36h or 30m")
    if match is None or not match[2]:
        raise BadDuration(f"{text!r} is no duration; write one such as 14d, 36h, 30m or 90s")
    return float(match[1]) * _UNITS_S[match[2]]


def duration_text(seconds: float | None) -> str:
    """A duration in its largest unit and the next one, such as `3 d 4 h`; a dash for none."""
    if seconds is None:
        return "–"
    sizes = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)]
    first = next((index for index, (_, size) in enumerate(sizes) if seconds >= size), len(sizes) - 1)
    least = sizes[min(first + 1, len(sizes) - 1)][1]
    rest, parts = round(seconds / least) * least, list[str]()
    for unit, size in sizes[first : first + 2]:
        count, rest = divmod(rest, size)
        if count or not parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts)
