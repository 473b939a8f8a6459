"""One case asked and compared: only the keys that its `expect` has, numbers to a millionth."""

import importlib
import math
import traceback
from dataclasses import dataclass
from typing import Any, Protocol

from tests.conformance.cases import Asked, Case, asked

ADAPTERS = {
    "funnel": "tests.conformance.funnel",
    "retention": "tests.conformance.retention",
    "lifecycle": "tests.conformance.lifecycle",
    "stickiness": "tests.conformance.stickiness",
    "paths": "tests.conformance.paths",
    "aggregate": "tests.conformance.aggregate",
}
_IS_COMPLETE = "breakdowns_complete"
_NAMED_BY = (("value",), ("source", "target"))


class Adapter(Protocol):
    """A module that turns cases of one kind into our questions."""

    def answer(self, asked: Asked) -> dict[str, Any]:
        """The keys that cases of this kind may expect, with what our models say."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What came of a case: which expected keys differ, and the error that ended it, if one did."""

    case: Case
    came: dict[str, Any]
    failed_keys: tuple[str, ...]
    error: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether everything expected came."""
        return not self.failed_keys


def judge(case: Case) -> Verdict:
    """Load the case, ask it, and compare."""
    try:
        adapter: Adapter = importlib.import_module(ADAPTERS[case.kind])
        with asked(case) as ready:
            came = adapter.answer(ready)
    except Exception:  # noqa: BLE001  # whatever ends a case is its verdict; the others go on
        return Verdict(case, {}, tuple(case.expect), traceback.format_exc(limit=-4))
    failed = [key for key in case.expect if key != _IS_COMPLETE and not _is_as_expected(case, key, came.get(key))]
    return Verdict(case, came, tuple(failed))


def _is_as_expected(case: Case, key: str, came: Any) -> bool:
    """Rows of a table in any order: groups by their value, edges by their ends."""
    expected = case.expect[key]
    if not isinstance(came, list) or not isinstance(expected, list) or not expected:
        return is_same(expected, came)
    names = next((names for names in _NAMED_BY if isinstance(expected[0], dict) and names[0] in expected[0]), None)
    if names is None:
        return is_same(expected, came)
    came_by_name = {str([row[name] for name in names]): row for row in came}
    is_complete = len(came) == len(expected) or not case.expect.get(_IS_COMPLETE, True)
    return is_complete and all(is_same(row, came_by_name.get(str([row[name] for name in names]))) for row in expected)


def is_same(expected: Any, came: Any) -> bool:
    """Equal, or numbers closer than a millionth; of objects, only the keys that are expected."""
    if isinstance(expected, bool) or isinstance(came, bool) or expected is None or came is None:
        return expected is came or expected == came
    if isinstance(expected, int | float) and isinstance(came, int | float):
        return math.isclose(expected, came, rel_tol=1e-6, abs_tol=1e-6)
    if isinstance(expected, list | tuple) and isinstance(came, list | tuple):
        return len(expected) == len(came) and all(map(is_same, expected, came))
    if isinstance(expected, dict) and isinstance(came, dict):
        return all(key in came and is_same(value, came[key]) for key, value in expected.items())
    return bool(expected == came)
