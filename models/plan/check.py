"""The plan check: where what came deviates from what a tracking plan declares.

Asks the public views alone, so it says of any plan what it would find, whether it was ever in force or not.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from ingest.plan.plan import READ_BY_ONEPATH, Plan, PlanType, PropertyRule, PropertyRules
from models.answers import SqlStatement
from models.plan.catalog import CatalogAnswer, CatalogQuestion, SeenEvent, SeenProperty, answer_catalog
from models.plan.check_sql import (
    CheckedValues,
    build_event_values_query,
    build_refused_query,
    build_target_values_query,
)
from warehouse.reader import Snapshot

DeviationKind = Literal[
    "never_seen",
    "undeclared_event",
    "undeclared_property",
    "wrong_type",
    "missing_property",
    "value_not_allowed",
    "refused",
]
# The types that a column of the declared type holds; what the judge of messages accepts.
_HELD_TYPES: dict[PlanType, frozenset[str]] = {
    "boolean": frozenset({"boolean"}),
    "number": frozenset({"number"}),
    "text": frozenset({"text", "number", "boolean"}),
    "datetime": frozenset({"text"}),
    "list": frozenset({"list"}),
    "object": frozenset({"object", "list"}),
}


@dataclass(frozen=True)
class Deviation:
    """One way in which reality deviates; `property` is None where an event deviates, `event_name` where it is none.

    `count` is of events (persons, accounts), `share` (0..1) what part of them; `close_name` is declared and much alike.
    """

    kind: DeviationKind
    target: Literal["event", "person", "account"]
    event_name: str | None
    property: str | None
    count: int
    share: float | None
    detail: str
    close_name: str | None = None


@dataclass(frozen=True)
class PlanCheck:
    """All deviations, those of events first; `is_as_planned` when there are none."""

    is_as_planned: bool
    watermark: str
    sql: tuple[SqlStatement, ...]
    deviations: tuple[Deviation, ...]


def check_plan(plan: Plan, snapshot: Snapshot, refused_since: str | None = None) -> PlanCheck:
    """Compare a plan with one snapshot; with `refused_since`, a `log_order`, also what was refused after that place."""
    catalog = answer_catalog(CatalogQuestion(), snapshot)
    check = _Check(plan, snapshot, catalog)
    deviations = [*check.events(), *check.targets(), *check.values()]
    if refused_since is not None:
        deviations += check.refused(refused_since)
    return PlanCheck(not deviations, snapshot.watermark, (*catalog.sql, *check.statements), tuple(deviations))


class _Check:
    def __init__(self, plan: Plan, snapshot: Snapshot, catalog: CatalogAnswer) -> None:
        self._plan = plan
        self._snapshot = snapshot
        self._catalog = catalog
        self._to_check: list[CheckedValues] = []
        self.statements: list[SqlStatement] = []

    def events(self) -> Iterator[Deviation]:
        seen_names = {event.event_name for event in self._catalog.events}
        for name in self._plan.events:
            if name not in seen_names:
                close = _close(name, [seen for seen in seen_names if seen not in self._plan.events])
                yield Deviation("never_seen", "event", name, None, 0, None, "no event of this name has come", close)
        for event in self._catalog.events:
            rules = self._plan.properties_of(event.event_name)
            if rules is None:
                close = _close(event.event_name, self._plan.events)
                detail = f"from {', '.join(sdk.sdk for sdk in event.sdks) or 'no known SDK'}"
                yield Deviation("undeclared_event", "event", event.event_name, None, event.count, None, detail, close)
            else:
                yield from self._properties("event", event, event.properties, rules)

    def targets(self) -> Iterator[Deviation]:
        for target, seen in (
            ("person", self._catalog.person_properties),
            ("account", self._catalog.account_properties),
        ):
            kind: Literal["person", "account"] = "account" if target == "account" else "person"
            rules = self._plan.properties_of_target(kind)
            if rules is not None:
                yield from self._properties(kind, None, seen, rules)

    def _properties(
        self,
        target: Literal["event", "person", "account"],
        event: SeenEvent | None,
        properties: Iterable[SeenProperty],
        rules: PropertyRules,
    ) -> Iterator[Deviation]:
        name = event.event_name if event is not None else None
        seen = {each.property_name.lower(): each for each in properties}
        declared = {each.lower(): rule for each, rule in rules.items()}
        own = self._own_properties(event, rules)
        for each, rule in rules.items():
            found = seen.get(each.lower())
            if found is not None:
                yield from self._types(target, name, each, found, rule)
            elif each in own and not rule.required:
                yield Deviation("never_seen", target, name, each, 0, None, "it has not come with any value")
            if rule.required and event is not None and (found is None or found.count < event.count):
                missing = event.count - (found.count if found is not None else 0)
                share = missing / event.count
                yield Deviation("missing_property", target, name, each, missing, share, "it is required")
        for lower, found in seen.items():
            is_known = lower in declared or found.property_name in READ_BY_ONEPATH
            if not is_known and not self._plan.allows_preset(found.property_name):
                close = _close(found.property_name, rules)
                detail = f"{found.type or 'no column'}, such as {_named(found.examples[:2])}"
                yield Deviation(
                    "undeclared_property", target, name, found.property_name, found.count, found.share, detail, close
                )

    def _own_properties(self, event: SeenEvent | None, rules: PropertyRules) -> Mapping[str, PropertyRule]:
        """Common properties are allowed on every event and expected on none."""
        if event is None:
            return rules
        declared = self._plan.events.get(event.event_name)
        return declared.properties if declared is not None else {}

    def _types(
        self,
        target: Literal["event", "person", "account"],
        event_name: str | None,
        name: str,
        seen: SeenProperty,
        rule: PropertyRule,
    ) -> Iterator[Deviation]:
        held = _HELD_TYPES[rule.type]
        other_count = sum(each.count for each in seen.other_types)
        counts = {seen.type: seen.count - other_count} if seen.type is not None else {}
        for each in seen.other_types:
            counts[each.type] = counts.get(each.type, 0) + each.count
        wrong = {kind: count for kind, count in counts.items() if kind not in held and count}
        if wrong:
            detail = (
                f"declared {rule.type}, came as {', '.join(f'{kind} ({count:,})' for kind, count in wrong.items())}"
            )
            count = sum(wrong.values())
            yield Deviation("wrong_type", target, event_name, name, count, count / seen.count, detail)
        if (rule.one_of or rule.type == "datetime") and seen.type in held:
            self._to_check.append(CheckedValues(target, event_name, seen.property_name, seen.type or "", rule))

    def values(self) -> Iterator[Deviation]:
        """Only after `events` and `targets`, which say whose values must be looked at."""
        of_events = [each for each in self._to_check if each.target == "event"]
        of_targets = [each for each in self._to_check if each.target != "event"]
        if of_events:
            yield from self._wrong_values("event_values", build_event_values_query(of_events), of_events)
        if of_targets:
            yield from self._wrong_values("target_values", build_target_values_query(of_targets), of_targets)

    def _wrong_values(self, name: str, sql: str, checked: list[CheckedValues]) -> Iterator[Deviation]:
        [row] = self._rows(name, sql)
        for index, each in enumerate(checked):
            if count := row[f"count_{index}"]:
                kind: DeviationKind = "value_not_allowed" if each.rule.one_of else "wrong_type"
                wanted = f"one of {_named(each.rule.one_of)}" if each.rule.one_of else "a datetime"
                detail = f"declared {wanted}, came as {_named(row[f'examples_{index}'])}"
                target: Any = each.target
                yield Deviation(kind, target, each.event_name, each.column, count, None, detail)

    def refused(self, since: str) -> Iterator[Deviation]:
        for row in self._rows("refused", build_refused_query(since)):
            detail = f"{row['reason']}; see `onepath rejects --reason {row['reason']}`"
            yield Deviation("refused", "event", row["event_name"], None, row["message_count"], None, detail)

    def _rows(self, name: str, sql: str) -> list[dict[str, Any]]:
        self.statements.append(SqlStatement(name, sql))
        rows: list[dict[str, Any]] = self._snapshot.query(sql).to_pylist()
        return rows


def _close(name: str, known: Iterable[str]) -> str | None:
    close = get_close_matches(name, sorted(known), n=1)
    return close[0] if close else None


def _named(values: Iterable[Any]) -> str:
    return ", ".join(repr(value) for value in values)
