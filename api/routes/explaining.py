"""What is wrong with a body, in sentences: one for each place, by the type that the sender meant."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from typing import Any

from api.routes.expected_fields import Place, fields_at, place_of
from models.errors import close_names

Error = dict[str, Any]

_UNEXPECTED = ("unexpected_keyword_argument", "extra_forbidden")
_LONGEST_INPUT = 60
_SAID = 3  # of a body that is wrong everywhere
_FEW_FIELDS = 6
_WANTED = {
    "tuple": "a list in brackets",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "a text",
    "datetime": "a date or time, such as 2026-06-01 or 2026-06-01T09:00",
}
_BOUNDS = {
    "less_than_equal": "at most",
    "less_than": "less than",
    "greater_than_equal": "at least",
    "greater_than": "more than",
}
_OF_NUMBER = "of"  # where a request for people says which number it means


def explain_errors(errors: Iterable[Any], root: Any = None) -> str:
    """The errors of a validation as text; `root` is the type of the whole body, whose fields are named in hints.

    Where a value may be of several types, validation says what is wrong with it as each of them; only the type is kept
    that knows most of the fields that were sent.
    """
    # The first part of a location only says that it is the body.
    meant = _of_meant_types([{**error, "place": place_of(root, error["loc"][1:])} for error in errors])
    places = [_path(error["place"]) for error in meant]
    whole = {place for place in places if any(other[: len(place)] == place != other for other in places)}
    # A list is wrong as a text, too: what is wrong inside it is what matters.
    of_places: dict[Place, list[Error]] = {}
    for error, place in zip(meant, places, strict=True):
        if place not in whole or error["type"] in ("missing", *_UNEXPECTED):
            of_places.setdefault(place, []).append(error)
    said = [_sentence(place, found, root) for place, found in of_places.items()]
    return "; ".join([*said[:_SAID], f"{len(said) - _SAID} more like these"] if len(said) > _SAID else said)


def _of_meant_types(errors: list[Error]) -> list[Error]:
    not_meant = set[Place]()
    for place, types in _alternatives(errors).items():
        tried = [(*place, each) for each in types]
        not_meant.update(set(tried) - {min(tried, key=lambda each: _misfit(errors, each))})
    return [error for error in errors if not_meant.isdisjoint(_prefixes(error["place"]))]


def _alternatives(errors: list[Error]) -> dict[Place, list[Any]]:
    """The types with fields that were tried, by the place of the value."""
    tried: dict[Place, list[Any]] = {}
    for error in errors:
        place = error["place"]
        for depth, part in enumerate(place):
            if is_dataclass(part) and part not in tried.setdefault(place[:depth], []):
                tried[place[:depth]].append(part)
    return tried


def _prefixes(place: Place) -> Iterable[Place]:
    return (place[:depth] for depth in range(1, len(place) + 1))


def _misfit(errors: Sequence[Error], place: Place) -> tuple[int, int]:
    """How badly a value fits the type at the end of a place: fields it does not know, then anything else."""
    own = [error for error in errors if error["place"][: len(place)] == place]
    direct = [error for error in own if not any(map(is_dataclass, error["place"][len(place) :]))]
    return sum(error["type"] in _UNEXPECTED for error in direct), len(direct)


def _sentence(path: Place, errors: Sequence[Error], root: Any) -> str:
    """What is wrong at one place; several errors there are of the types that its value may have."""
    error = errors[0]
    fields = fields_at(root, error["place"])
    if error["type"] in _UNEXPECTED:
        where = f" in {_name(path[:-1])}" if _shown(path[:-1]) else ""
        return f"there is no field {path[-1]!r}{where}{_which(str(path[-1]), list(fields))}"
    name = _name(path)
    if error["type"] == "missing":
        return f"{name} is missing" + ("" if path else ": send a JSON object, {} where everything has a default")
    if error["type"] == "json_invalid":
        return f"this is no JSON: {error.get('ctx', {}).get('error', error['msg'])}"
    if error["type"] == "literal_error":
        return f"{name} cannot be {_text(error['input'])}{_which(error['input'], _choices(error))}"
    if error["type"] == "value_error":
        message = str(error["msg"]).removeprefix("Value error, ")
        return f"{name}: {message}" if _shown(path) else message
    wanted = dict.fromkeys(_wanted(each, path, fields) for each in errors)
    if _WANTED["float"] in wanted:
        wanted.pop(_WANTED["int"], None)
    *others, last = wanted
    return f"{name} is {_text(error['input'])}: write {', '.join(others)}{' or ' if others else ''}{last}"


def _wanted(error: Error, path: Place, fields: dict[str, bool]) -> str:
    if error["type"] == "dataclass_type":
        needed, optional = ([name for name in fields if fields[name] is is_needed] for is_needed in (True, False))
        known = needed + (optional if len(optional) <= _FEW_FIELDS else [])
        return f"an object in braces, with {', '.join(known)}" if known else "an object in braces"
    if error["type"] in _BOUNDS:
        return f"{_BOUNDS[error['type']]} {next(iter(error['ctx'].values()))}"
    kind = str(error["type"]).split("_", 1)[0]
    if kind in ("int", "float") and path and str(path[-1]).endswith("_s"):
        return "a number of seconds"
    return _WANTED.get(kind) or str(error["msg"])


def _which(sent: Any, known: list[str]) -> str:
    """The known names most like the one that was sent, or all of them."""
    close = close_names(sent, known) if isinstance(sent, str) else ()
    if close:
        return f": did you mean {' or '.join(map(repr, close))}?"
    return f": choose one of {', '.join(known)}" if known else ""


def _choices(error: Error) -> list[str]:
    """The values of a Literal, from the text that names them: 'a', 'b' or 'c'."""
    expected = str(error.get("ctx", {}).get("expected", ""))
    return [each.strip().strip("'") for each in expected.replace(" or ", ", ").split(",")]


def _name(path: Place) -> str:
    """A place as people say it: that of a number by itself, that of a question without a word for the whole."""
    shown = ".".join(map(str, _shown(path)))
    if path[:1] == (_OF_NUMBER,):
        return f"{shown} of the number" if shown else "the number"
    return shown or "the question"


def _shown(path: Place) -> Place:
    return path[1:] if path[:1] in ((_OF_NUMBER,), ("question",)) else path


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_INPUT else f"{text[:_LONGEST_INPUT]}..."


def _path(place: Place) -> Place:
    """The place without the types that were tried there."""
    return tuple(part for part in place if isinstance(part, str | int))
