"""Whose list nobody can be on: a number that is not in the answer is told from one that counts nobody."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models.errors import NoSuchNumber, close_names
from models.questions import OTHER

_LISTED = 10

Row = Mapping[str, Any]


def require_in_rows(wanted: Row, rows: Sequence[Row]) -> None:
    """Raise NoSuchNumber, with what there is, unless some row has all the `wanted` columns that rows have."""
    asked = {name: value for name, value in wanted.items() if not rows or name in rows[0]}
    if any(_has(row, asked) for row in rows) or not asked:
        return
    if not rows:
        raise NoSuchNumber(f"There is no number with {_said(asked)}: the answer has no rows.")
    for name, value in asked.items():
        if not any(_has(row, {name: value}) for row in rows):
            there = list(dict.fromkeys(_comparable(row[name]) for row in rows))
            raise NoSuchNumber(f"There is no number with {_said({name: value})}: {_which(value, there)}")
    raise NoSuchNumber(f"There is no number with {_said(asked)}: no row of the answer has these together.")


def _has(row: Row, wanted: Row) -> bool:
    return all(_comparable(row[name]) == value for name, value in wanted.items())


def _comparable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _which(asked: Any, there: Sequence[Any]) -> str:
    known = [each for each in there if each is not None]
    if isinstance(asked, datetime) and asked.tzinfo is None and known:
        return f"the nearest is {_text(min(known, key=lambda each: abs(each - asked)))}."
    if isinstance(asked, int) and known and len(known) == max(known) - min(known) + 1:
        return f"there are {min(known)} to {max(known)}." if len(known) > 1 else f"there is only {known[0]}."
    if isinstance(asked, str) and (close := close_names(asked, known)):
        return f"did you mean {' or '.join(map(_text, close))}?"
    # Only a group has a name where rows have null: the rest.
    named = there if asked is None or isinstance(asked, tuple) else known
    listed = ", ".join(map(_text, named[:_LISTED])) or "none"
    return f"there are {listed}" + (f" and {len(named) - _LISTED} more." if len(named) > _LISTED else ".")


def _said(values: Row) -> str:
    return " and ".join(f"{name} {_text(value)}" for name, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(OTHER if value is None else value, ensure_ascii=False)
