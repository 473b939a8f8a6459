"""The tracking plan: which events and properties a project expects, of which types, and how strictly.

A plan never changes once it is read; another one takes its place from a moment on. `ingest.plan.reading` reads it,
`ingest.plan.judge` applies it.
"""

from typing import Any, Literal, get_args

import msgspec

from ingest.message import PLATFORM_PROPERTY, PropertyTarget

PlanMode = Literal["learn", "warn", "enforce"]
Presets = Literal["allow", "declare"]
PlanType = Literal["boolean", "number", "text", "list", "object", "datetime"]

PLAN_TYPES: tuple[PlanType, ...] = get_args(PlanType)
MODES: tuple[PlanMode, ...] = get_args(PlanMode)
PRESET_CHOICES: tuple[Presets, ...] = get_args(Presets)
SET_PLAN = "set_plan"  # the act that brings a plan into the log
# A collector and the operator write different streams, so an act can become visible a moment after younger events.
# A plan therefore waits this long: whoever loads the log, now or again, judges every event by the same plan.
FORCE_DELAY_US = 1_000_000
# Onepath itself reads these properties of an event, so every plan allows them.
READ_BY_ONEPATH = ("account_id", PLATFORM_PROPERTY)


class PropertyRule(msgspec.Struct, frozen=True):
    """What is declared of one property. `one_of` holds the allowed values, if only some are."""

    type: PlanType
    required: bool = False
    one_of: tuple[Any, ...] = ()
    description: str = ""


PropertyRules = dict[str, PropertyRule]


class EventRule(msgspec.Struct, frozen=True):
    """What is declared of one event."""

    properties: PropertyRules
    description: str = ""


class Plan(msgspec.Struct, frozen=True):
    """A project's plan. Person and account properties are judged only where their section is there (not None)."""

    mode: PlanMode = "learn"
    presets: Presets = "allow"
    events: dict[str, EventRule] = {}
    common_properties: PropertyRules = {}
    person_properties: PropertyRules | None = None
    account_properties: PropertyRules | None = None

    def allows_preset(self, name: str) -> bool:
        """True for a name that needs no declaration because an SDK sets it by itself."""
        return self.presets == "allow" and name[:1] == "$"

    def properties_of(self, event_name: str) -> PropertyRules | None:
        """All properties the event may carry, its own before the common ones; None when the event may not come."""
        declared = self.events.get(event_name)
        if declared is not None:
            return self.common_properties | declared.properties
        if not self.allows_preset(event_name):
            return None
        # Nobody sends an undeclared preset event on purpose, so nothing of it can be required.
        return {name: msgspec.structs.replace(rule, required=False) for name, rule in self.common_properties.items()}

    def properties_of_target(self, target: PropertyTarget) -> PropertyRules | None:
        """The declared properties of persons or accounts; None where they are not judged."""
        return {"person": self.person_properties, "account": self.account_properties}.get(target)


def plan_values(plan: Plan) -> dict[str, Any]:
    """The plan as plain values, in the form that a file has; reading them gives an equal plan."""
    values: dict[str, Any] = {"mode": plan.mode, "presets": plan.presets}
    values["events"] = {name: _event_values(rule) for name, rule in plan.events.items()}
    sections = ("common_properties", "person_properties", "account_properties")
    for section, rules in ((section, getattr(plan, section)) for section in sections):
        if rules is not None and (rules or section != "common_properties"):
            values[section] = _rules_values(rules)
    return values


def _event_values(rule: EventRule) -> dict[str, Any]:
    said = {"description": rule.description, "properties": _rules_values(rule.properties)}
    return {name: value for name, value in said.items() if value}


def _rules_values(rules: PropertyRules) -> dict[str, Any]:
    return {name: _rule_values(rule) for name, rule in rules.items()}


def _rule_values(rule: PropertyRule) -> Any:
    """A property with nothing but a type is written as that type alone."""
    said = {
        "type": rule.type,
        "required": rule.required,
        "one_of": list(rule.one_of),
        "description": rule.description,
    }
    kept = {name: value for name, value in said.items() if value}
    return rule.type if len(kept) == 1 else kept
