"""A first tracking plan from what has been seen: a draft for somebody to read and mend.

It accepts nearly all that came, so that applying it in mode warn shows only what is odd.
"""

from collections.abc import Iterable

from ingest.plan.plan import READ_BY_ONEPATH, EventRule, Plan, PlanType, PropertyRule, PropertyRules
from models.plan.catalog import CatalogAnswer, SeenEvent, SeenProperty

# A property that all of this many events had is taken for one that they need.
_ENOUGH_TO_REQUIRE = 100


def draft_plan(catalog: CatalogAnswer) -> Plan:
    """The plan that a whole catalog suggests, in mode warn.

    Presets need no declaration, so none are declared, but for preset events that carry properties of other names.
    """
    named = [event for event in catalog.events if not _is_preset(event.event_name)]
    common = _common_properties(named)
    rules = {event.event_name: _rules(event.properties, omit=common) for event in named}
    for event in catalog.events:
        if _is_preset(event.event_name) and (own := _rules(event.properties, omit=common, can_require=False)):
            rules[event.event_name] = own
    return Plan(
        mode="warn",
        events={name: EventRule(rules[name]) for name in sorted(rules)},
        common_properties=common,
        person_properties=_rules(catalog.person_properties, can_require=False),
        account_properties=_rules(catalog.account_properties, can_require=False),
    )


def _common_properties(events: list[SeenEvent]) -> PropertyRules:
    """What every one of several events carries at times."""
    if len(events) < 2:
        return {}
    first, *others = events
    shared = [
        seen
        for seen in first.properties
        if all(seen.property_name in {each.property_name for each in event.properties} for event in others)
    ]
    return _rules(shared, can_require=False)


def _rules(
    properties: Iterable[SeenProperty], *, omit: PropertyRules | None = None, can_require: bool = True
) -> PropertyRules:
    return {
        seen.property_name: PropertyRule(
            _plan_type(seen), required=can_require and seen.share == 1 and seen.count >= _ENOUGH_TO_REQUIRE
        )
        for seen in properties
        if not _is_preset(seen.property_name)
        and seen.property_name not in READ_BY_ONEPATH
        and seen.property_name not in (omit or {})
    }


def _plan_type(seen: SeenProperty) -> PlanType:
    types: dict[str, PlanType] = {"boolean": "boolean", "number": "number", "list": "list", "object": "object"}
    named = seen.type or (seen.other_types[0].type if seen.other_types else "text")
    return types.get(named, "text")


def _is_preset(name: str) -> bool:
    return name.startswith("$")
