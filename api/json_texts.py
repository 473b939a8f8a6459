"""Questions as JSON: what would be too much for whoever reads on is refused in words."""

import json
import math
from typing import Any

from models.errors import QuestionError

MAX_DEPTH = 50
MAX_WHOLE = 2**63 - 1


def read_json(text: bytes | str) -> Any:
    """A text as JSON; raises JSONDecodeError, UnicodeDecodeError, and QuestionError for what is beyond that."""
    try:
        value = json.loads(text, parse_int=_whole_number, parse_float=_number, parse_constant=_no_number)
    except RecursionError as error:
        raise _too_deep() from error
    _require_shallow(value)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.end]
        raise QuestionError(f"{half!r} is one half of a character: send both halves, or the character") from error
    return value


def json_problem(error: ValueError) -> str:
    """Where a text ends to be JSON, and what should stand there."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    return f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}"


def _whole_number(text: str) -> int:
    if len(text) > len(str(-MAX_WHOLE)) or abs(int(text)) > MAX_WHOLE:
        raise QuestionError(f"the number {text} is more than {MAX_WHOLE}: an id of such a length goes in quotes")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> float:
    raise QuestionError(f"{text} is no finite number: write one, or leave the field out")


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [below for each in level for below in _values_within(each)]
        if not level:
            return
    raise _too_deep()


def _values_within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep() -> QuestionError:
    return QuestionError(f"the question has brackets within brackets more than {MAX_DEPTH} deep: nest it less")
