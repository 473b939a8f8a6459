"""Which fields a body may have at a place: read from the dataclasses that it becomes."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_type_hints


def fields_at(root: Any, place: tuple[str | int, ...]) -> dict[str, bool]:
    """The fields beside or below a place, and whether each must be given; none where nothing with fields is.

    A place is a path of field names, positions in lists and, where several classes are possible, the class tried. Where
    its last part is no field, what may stand beside it is meant.
    """
    classes: list[Any] = [root] if is_dataclass(root) else []
    for part in place:
        if any(each.__name__ == part for each in classes):
            classes = [each for each in classes if each.__name__ == part]
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


def _dataclasses(annotation: Any) -> Iterator[Any]:
    """The dataclasses that an annotation names, in unions and in lists."""
    if is_dataclass(annotation):
        yield annotation
    for each in get_args(annotation):
        yield from _dataclasses(each)
