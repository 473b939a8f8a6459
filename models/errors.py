"""What can be wrong with a question.

    QuestionError (a ValueError)      the question cannot be answered as asked; the message says how to ask it right
    `- UnknownPropertyError           it names an event property that no event carries

All of them are final: asking again without changing the question fails again. Being ValueErrors, they become ordinary
validation errors where a question is read from JSON.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class QuestionError(ValueError):
    """The question cannot be answered as asked; the message says how to ask it right."""


class UnknownPropertyError(QuestionError):
    """No event carries a property of this name; `close_names` are the known names most like it."""

    def __init__(self, name: str, known_names: Iterable[str]) -> None:
        by_lower = {known.lower(): known for known in known_names}
        self.name = name
        self.close_names = tuple(by_lower[close] for close in get_close_matches(name.lower(), sorted(by_lower)))
        close = " or ".join(map(repr, self.close_names))
        hint = f"did you mean {close}?" if close else "check its spelling."
        super().__init__(f"No event has a property {name!r}: {hint}")


def require_choice(field: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise QuestionError unless `value` is one of `choices`."""
    if value not in choices:
        raise QuestionError(f"{field} cannot be {value!r}: choose one of {', '.join(map(repr, choices))}.")
