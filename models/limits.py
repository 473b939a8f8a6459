"""How much one question may ask for. What reaches beyond is refused: it would only be answered late, or by nobody."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from models.errors import QuestionError

LONGEST_S = 100 * 366 * 24 * 60 * 60
"""The longest time between two events that a question can name: about 100 years, in seconds."""
MAX_ROWS = 100_000
"""Rows of one answer; `ask_frame` gives all of them."""
MAX_FILTERS = 200
MAX_FILTER_DEPTH = 20
MAX_OPTIONAL_STEPS = 10  # the time to answer grows quickly with them
MAX_ENTRIES: Mapping[str, int] = {
    "where": MAX_FILTERS,
    "all_of": MAX_FILTERS,
    "any_of": 100,
    "none_of": MAX_FILTERS,
    "value": 10_000,
    "exclusions": 30,
    "labels": 50,
    "parts": 20,
    "groupings": 100,
    "exclude": 1000,
    "formulas": 26,
}
"""Entries of one list, by the name of its field wherever it stands in a question."""


def require_short_lists(part: object) -> None:
    """Raise QuestionError where a list in any part of a question has more entries than MAX_ENTRIES."""
    if isinstance(part, tuple):
        for each in part:
            require_short_lists(each)
    elif is_dataclass(part):
        for field in fields(part):
            value = getattr(part, field.name)
            most = MAX_ENTRIES.get(field.name)
            if most is not None and isinstance(value, tuple) and len(value) > most:
                raise QuestionError(f"{field.name} has {len(value)} entries: give at most {most}.")
            require_short_lists(value)
