"""Where in a body something is wrong, and which fields may stand there: read from the dataclasses that it becomes."""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Place = tuple[Any, ...]
"""A path of field names, positions in lists and, where several types are possible, the type that was tried."""


def place_of(root: Any, location: Sequence[str | int]) -> Place:
    """A location of validation as a place in a value of the type `root`.

    Validation names the types it tried as if they were fields. What is a type only the types themselves can tell: a
    field that somebody sent may be spelled like anything.
    """
    place, here = list[Any](), root
    for part in location:
        possible = [each for each in _members(here) if each is not NoneType]
        if len(possible) > 1:
            here = next((each for each in possible if _is_named(each, str(part))), object)
            place.append(here)
        else:
            [here] = possible
            here = get_type_hints(here).get(str(part)) if is_dataclass(here) else next(iter(get_args(here)), None)
            place.append(part)
    return tuple(place)


def fields_at(root: Any, place: Place) -> dict[str, bool]:
    """The fields beside or below a place, and whether each must be given; none where nothing with fields is.

    Where its last part is no field, what may stand beside it is meant.
    """
    classes: list[Any] = [root] if is_dataclass(root) else []
    for part in place:
        if is_dataclass(part):
            classes = [part]
        elif isinstance(part, str):
            below = [hints[part] for hints in map(get_type_hints, classes) if part in hints]
            if not below:
                break
            classes = [found for each in below for found in _dataclasses(each)]
    return {
        each.name: each.default is MISSING and each.default_factory is MISSING
        for known in classes
        for each in fields(known)
    }


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _is_named(annotation: Any, name: str) -> bool:
    """Whether validation calls a type so: tuple[str, ...] with its brackets, Literal in small letters."""
    return str(annotation.__name__).lower() == name.partition("[")[0].lower()


def _dataclasses(annotation: Any) -> Iterator[Any]:
    """The dataclasses that an annotation names, in unions and in lists."""
    if is_dataclass(annotation):
        yield annotation
    for each in get_args(annotation):
        yield from _dataclasses(each)
