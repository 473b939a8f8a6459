"""What can be wrong with a question.

    QuestionError (a ValueError)      the question cannot be answered as asked; the message says how to ask it right
    |- UnknownEventError              it names an event that nobody has sent
    |- UnknownPropertyError           it names a property that no event, no person or no account carries
    `- NoSuchNumber                   somebody wants the people of a number that is not in the answer

All of them are final: asking again without changing the question fails again. Being ValueErrors, they become ordinary
validation errors where a question is read from JSON.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_FEW = 3  # names that a hint gives
_LONG_NAME = 100
_LONG_MESSAGE = 1000
_END_OF_WORD = re.compile(rf"(?<=\S{{{_LONG_NAME}}})\S+(?=\S{{3}})")


class QuestionError(ValueError):
    """The question cannot be answered as asked; the message says how to ask it right.

    What a question brings in may be of any length: the message has the beginning of it.
    """

    def __init__(self, message: str) -> None:
        said = _END_OF_WORD.sub("...", message)
        super().__init__(said if len(said) <= _LONG_MESSAGE else f"{said[:_LONG_MESSAGE]}...")


class NoSuchNumber(QuestionError):
    """Somebody wants the people of a number that is not in the answer."""


class UnknownEventError(QuestionError):
    """No event has this name."""

    def __init__(self, name: str, known_names: Iterable[str]) -> None:
        super().__init__(f"No event is named {name!r}: {_hint(close_names(name, known_names))}")


class UnknownPropertyError(QuestionError):
    """No `owner` (event, person, or account of a type) has had a property of this name.

    `close_names` are the known names most like it.
    """

    def __init__(self, name: str, known_names: Iterable[str], owner: str = "event") -> None:
        known = sorted(known_names)
        self.name = name
        self.close_names = close_names(name, known)
        said = owner if owner in ("event", "person", "account") else f"account of the type {owner!r}"
        super().__init__(f"No {said} has a property {name!r}: {_hint(self.close_names)}")


def _hint(close: tuple[str, ...]) -> str:
    return f"did you mean {' or '.join(map(repr, close))}?" if close else "see the names with: onepath catalog."


def close_names(name: str, known_names: Iterable[str]) -> tuple[str, ...]:
    """The known names most like a name that is none of them, whatever the case; the closest first."""
    wanted, by_lower = name[:_LONG_NAME].lower(), {known.lower(): known for known in sorted(known_names)}
    close = get_close_matches(wanted, by_lower) or [known for known in by_lower if wanted in known][:_FEW]
    return tuple(by_lower[each] for each in close)


def require_choice(field: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise QuestionError unless `value` is one of `choices`."""
    if value not in choices:
        raise QuestionError(f"{field} cannot be {value!r}: choose one of {', '.join(map(repr, choices))}.")
