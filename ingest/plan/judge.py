"""Judging messages by a tracking plan.

An ordinary message costs a few dictionary look-ups; only one that deviates is looked at closely. Names of properties
compare ignoring case, as their columns do, and a value is of a type when a column of that type holds it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from ingest.errors import RejectReason
from ingest.message import Message, PropertyChange
from ingest.plan.hints import Hints
from ingest.plan.plan import READ_BY_ONEPATH, Plan, PlanType, PropertyRule, PropertyRules

ViolationReason = Literal[
    "undeclared_event", "undeclared_property", "wrong_type", "missing_property", "value_not_allowed"
]
Target = Literal["event", "person", "account"]

# In this order a refused message is named after the worst that is wrong with it.
_REFUSALS: tuple[RejectReason, ...] = ("undeclared_event", "wrong_type", "missing_property", "value_not_allowed")
_TYPES: dict[PlanType, frozenset[type]] = {
    "boolean": frozenset({bool}),
    "number": frozenset({int, float}),
    "text": frozenset({str, int, float, bool}),
    "datetime": frozenset({str}),
    "list": frozenset({list}),
    "object": frozenset({dict, list}),
}
_NONE: frozenset[type] = frozenset({type(None)})
_ANY_TYPE: frozenset[type] = frozenset({bool, int, float, str, list, dict}) | _NONE
_MOST_SHAPES = 1000
_MOST_SAID = 5
_MOST_VALUE_CHARS = 60


class Violation(NamedTuple):
    """One thing about a message that is not as the plan says; `property` is None where it is the event itself."""

    target: Target
    property: str | None
    reason: ViolationReason
    detail: str


class Verdict(NamedTuple):
    """What to do with a message that deviates.

    `refusal`: refuse it, with this reason and detail. Else it is kept, the properties of `set_aside` beside the
    others, and `violations` are counted.
    """

    refusal: tuple[RejectReason, str] | None
    set_aside: frozenset[str]
    violations: tuple[Violation, ...]


class _Rules(NamedTuple):
    """The rules for the properties of one event, or of persons or accounts, made ready for looking up."""

    types: Mapping[str, frozenset[type]]
    required: frozenset[str]
    choices: tuple[tuple[str, frozenset[Any]], ...]
    checks: tuple[tuple[str, Callable[[Any], bool]], ...]
    by_lower_name: Mapping[str, tuple[str, PropertyRule]]
    ordinary_shapes: set[tuple[Any, ...]]


class Judge:
    """Applies one plan. `judge` gives None for a message that is as the plan says, or when the plan only learns."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._is_learning = plan.mode == "learn"
        self._allows_presets = plan.presets == "allow"
        self._events = {name: _rules_of(plan.properties_of(name) or {}) for name in plan.events}
        # Any undeclared preset event carries the same properties: presets and common ones.
        self._presets = _rules_of(plan.properties_of("$") or {})
        sections = {target: plan.properties_of_target(target) for target in ("person", "account")}
        self._targets = {target: _rules_of(rules) for target, rules in sections.items() if rules is not None}
        self._hints = Hints(plan.events)

    def judge(self, message: Message) -> Verdict | None:
        """What is to be done with the message beside storing it; None is nothing."""
        if self._is_learning:
            return None
        name = message.event_name
        if name is None:
            return self._judge_change(message.change) if message.change is not None else None
        rules = self._events.get(name)
        if rules is None:
            if not (self._allows_presets and name[:1] == "$"):
                # What is kept is only counted: nobody reads a detail of it.
                meant = self._hints.for_name(name) if self.plan.mode == "enforce" else None
                detail = f"event {name!r} is not in the plan" + (f"; did you mean {meant!r}?" if meant else "")
                return self._verdict([Violation("event", None, "undeclared_event", detail)])
            rules = self._presets
        if self._is_ordinary(rules, message.properties):
            return None
        return self._verdict(list(self._examine("event", name, rules, message.properties)))

    def _is_ordinary(self, rules: _Rules, properties: dict[str, Any]) -> bool:
        """True when nothing can be wrong; false says only that it takes a closer look."""
        # Messages of one event come in few shapes, so most cost one look-up, however many properties they have.
        shape = (*properties, *map(type, properties.values()))
        if shape not in rules.ordinary_shapes:
            if not self._is_ordinary_shape(rules, properties):
                return False
            if len(rules.ordinary_shapes) < _MOST_SHAPES:
                rules.ordinary_shapes.add(shape)
        for name, choices in rules.choices:
            if properties.get(name) not in choices:
                return False
        for name, holds in rules.checks:
            value = properties.get(name)
            if value is not None and not holds(value):
                return False
        return True

    def _is_ordinary_shape(self, rules: _Rules, properties: dict[str, Any]) -> bool:
        for name, value in properties.items():
            types = rules.types.get(name)
            if types is None and not self.plan.allows_preset(name):
                return False
            if types is not None and type(value) not in types:
                return False
        return rules.required <= properties.keys()

    def _judge_change(self, change: PropertyChange) -> Verdict | None:
        target, values = change.target, change.properties
        rules = self._targets.get(target)
        if target == "item" or rules is None or change.operation == "delete":
            return None
        if change.operation == "unset":  # what stands beside the names is no value
            return self._verdict(list(filter(None, (self._undeclared(target, rules, name) for name in values))))
        if change.operation == "append":
            values = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
        if self._is_ordinary(rules, values):
            return None
        return self._verdict(list(self._examine(target, f"{target}_properties", rules, values)))

    def _examine(self, target: Target, subject: str, rules: _Rules, values: dict[str, Any]) -> Iterable[Violation]:
        present = set[str]()
        for name, value in values.items():
            if value is None:
                continue
            present.add(name.lower())
            declared = rules.by_lower_name.get(name.lower())
            if declared is None:
                if (undeclared := self._undeclared(target, rules, name)) is not None:
                    yield undeclared
            elif (fault := _fault_of(declared[1], value)) is not None:
                reason, what = fault
                yield Violation(target, declared[0], reason, f"{subject}.{name} is {_shortened(value)}; {what}")
        for name in sorted(rules.required):
            if name.lower() not in present:
                yield Violation(target, name, "missing_property", f"{subject}.{name} is required and not there")

    def _undeclared(self, target: Target, rules: _Rules, name: str) -> Violation | None:
        if self.plan.allows_preset(name) or name.lower() in rules.by_lower_name or name in rules.types:
            return None
        return Violation(target, name, "undeclared_property", f"property {name!r} is not in the plan")

    def _verdict(self, violations: list[Violation]) -> Verdict | None:
        if not violations:
            return None
        if self.plan.mode == "warn":
            return Verdict(None, frozenset(), tuple(violations))
        refusing = [each for each in violations if each.reason != "undeclared_property"]
        reasons = {each.reason for each in refusing}
        for reason in _REFUSALS:
            if reason in reasons:
                return Verdict((reason, _details(refusing)), frozenset(), ())
        aside = frozenset(each.property for each in violations if each.property is not None)
        return Verdict(None, aside, tuple(violations))


def _rules_of(properties: PropertyRules) -> _Rules:
    types: dict[str, frozenset[type]] = dict.fromkeys(READ_BY_ONEPATH, _ANY_TYPE)
    for name, rule in properties.items():
        types[name] = _TYPES[rule.type] if rule.required else _TYPES[rule.type] | _NONE
    # No value is no wrong value.
    choices = [(name, frozenset({*rule.one_of, None})) for name, rule in properties.items() if rule.one_of]
    checks = [(name, _CHECKS[rule.type]) for name, rule in properties.items() if rule.type in _CHECKS]
    required = frozenset(name for name, rule in properties.items() if rule.required)
    by_lower_name = {name.lower(): (name, rule) for name, rule in properties.items()}
    return _Rules(types, required, tuple(choices), tuple(checks), by_lower_name, set())


def _fault_of(rule: PropertyRule, value: Any) -> tuple[ViolationReason, str] | None:
    check = _CHECKS.get(rule.type)
    if type(value) not in _TYPES[rule.type] or (check is not None and not check(value)):
        return "wrong_type", f"the plan says {rule.type}"
    # A text property holds numbers and booleans as text.
    if rule.one_of and value not in rule.one_of and (isinstance(value, str) or json.dumps(value) not in rule.one_of):
        return "value_not_allowed", f"the plan allows {', '.join(map(str, rule.one_of))}"
    return None


def _is_list_of_text(value: list[Any]) -> bool:
    return all(type(item) is str for item in value)


def _is_datetime(value: str) -> bool:
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return False
    return True


_CHECKS: dict[PlanType, Callable[[Any], bool]] = {"list": _is_list_of_text, "datetime": _is_datetime}


def _details(violations: list[Violation]) -> str:
    said = [each.detail for each in violations[:_MOST_SAID]]
    more = len(violations) - len(said)
    return "; ".join([*said, f"and {more} more"] if more else said)


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MOST_VALUE_CHARS else f"{text[: _MOST_VALUE_CHARS - 1]}…"
