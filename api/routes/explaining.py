"""What is wrong with a body, in sentences: one for each place, by the type that the sender meant."""

from collections.abc import Iterable, Sequence
from typing import Any

Error = dict[str, Any]
Place = tuple[str | int, ...]

_UNEXPECTED = ("unexpected_keyword_argument", "extra_forbidden")


def explain_errors(errors: Iterable[Any]) -> str:
    """The errors of a validation as text.

    Where a value may be of several types, validation says what is wrong with it as each of them; only the type is kept
    that knows most of the fields that were sent.
    """
    said = list(dict.fromkeys(map(_sentence, _of_meant_types(list(errors)))))
    return "; ".join(said)


def _of_meant_types(errors: list[Error]) -> list[Error]:
    not_meant = set[Place]()
    for place, names in _alternatives(errors).items():
        tried = [(*place, name) for name in names]
        not_meant.update(set(tried) - {min(tried, key=lambda each: _misfit(errors, each))})
    return [error for error in errors if not_meant.isdisjoint(_prefixes(_place(error)))]


def _alternatives(errors: list[Error]) -> dict[Place, list[str]]:
    """The types that were tried, by the place of the value."""
    tried: dict[Place, list[str]] = {}
    for error in errors:
        place = _place(error)
        for depth, part in enumerate(place):
            if _is_type_name(part) and part not in tried.setdefault(place[:depth], []):
                tried[place[:depth]].append(str(part))
    return tried


def _prefixes(place: Place) -> Iterable[Place]:
    return (place[:depth] for depth in range(1, len(place) + 1))


def _misfit(errors: Sequence[Error], place: Place) -> tuple[int, int]:
    """How badly a value fits the type at the end of a place: fields it does not know, then anything else."""
    own = [error for error in errors if _place(error)[: len(place)] == place]
    direct = [error for error in own if not any(_is_type_name(part) for part in _place(error)[len(place) :])]
    return sum(error["type"] in _UNEXPECTED for error in direct), len(direct)


def _sentence(error: Error) -> str:
    path = [str(part) for part in _place(error) if not _is_type_name(part)]
    if error["type"] in _UNEXPECTED:
        where = f" in {'.'.join(path[:-1])}" if path[:-1] else ""
        return f"there is no field {path[-1]!r}{where}"
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        message = "is missing"
    return f"{'.'.join(path)}: {message}" if path else message


def _place(error: Error) -> Place:
    """Where in the body; the first part only says that it is the body."""
    return tuple(error["loc"])[1:]


def _is_type_name(part: str | int) -> bool:
    """Fields are written small, types begin with a capital."""
    return isinstance(part, str) and part[:1].isupper()
