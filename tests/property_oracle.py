"""A slow and obvious judge of properties: one call after the other, as docs/concepts/properties.md has it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any


@dataclass(frozen=True)
class PropertyCall:
    """What one message says of its person's properties. `order` is its place in the order of arrival."""

    called_at_ms: int
    order: int
    operation: str
    properties: dict[str, Any]


def properties_at(calls: Iterable[PropertyCall], moment_ms: int | None = None) -> dict[str, Any]:
    """The properties that calls up to and including a moment, or all calls, leave."""
    state: dict[str, Any] = {}
    for call in sorted(calls, key=lambda call: (call.called_at_ms, call.order)):
        if moment_ms is not None and call.called_at_ms > moment_ms:
            break
        if call.operation == "delete":
            state.clear()
        for name, said in call.properties.items():
            state[name] = _changed(state.get(name), call.operation, said)
    return {name: value for name, value in state.items() if value is not None}


def _changed(value: Any, operation: str, said: Any) -> Any:
    if operation == "unset":
        return None
    if said is None:
        return value
    if operation == "set":
        return said
    if operation == "set_once":
        return said if value is None else value
    if operation == "increment":
        return _incremented(value, said)
    items = [item for item in (said if isinstance(said, list) else [said]) if item is not None]
    return _appended(value, items) if items else value


def _incremented(value: Any, said: Any) -> Any:
    have, more = Decimal(0) if value is None else _number(value), _number(said)
    return value if have is None or more is None else float(have + more)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(repr(value)).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    return number if abs(number) < Decimal("1e15") else None


def _appended(value: Any, items: list[Any]) -> Any:
    if value is not None and not isinstance(value, list):
        return value
    have = list(value or [])
    for item in items:
        if json.dumps(item) not in map(json.dumps, have):
            have.append(item)
    return have
