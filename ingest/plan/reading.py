"""Reading a tracking plan from YAML text or plain values.

Says everything that is wrong with it at once: the file, the place in it, and what would be right.
"""

import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, cast

import yaml  # type: ignore[import-untyped]  # it ships no types

from ingest.errors import PlanError
from ingest.plan.plan import MODES, PLAN_TYPES, PRESET_CHOICES, EventRule, Plan, PlanType, PropertyRule, PropertyRules

Choice = TypeVar("Choice", bound=str)

_SECTIONS = ("mode", "presets", "events", "common_properties", "person_properties", "account_properties")
_EVENT_FIELDS = ("description", "properties")
_PROPERTY_FIELDS = ("type", "required", "one_of", "description")
_MAX_NAME_CHARS = 255
_MOST_FAULTS_SAID = 20
# What people write who come from elsewhere.
_OTHER_WORDS: dict[str, PlanType] = {
    **dict.fromkeys(("string", "str", "varchar", "char"), "text"),
    **dict.fromkeys(("integer", "int", "float", "double", "decimal", "bigint", "numeric"), "number"),
    "bool": "boolean",
    "array": "list",
    **dict.fromkeys(("json", "map", "dict", "struct"), "object"),
    **dict.fromkeys(("date", "time", "timestamp"), "datetime"),
}


def read_plan_text(text: str, file_name: str) -> Plan:
    """The plan that YAML text holds; raises `PlanError` naming the file and every fault."""
    try:
        doubled = list(_doubled_names(yaml.compose(text, Loader=yaml.SafeLoader)))
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PlanError(f"{file_name} is not YAML: {' '.join(str(error).split())}") from error
    return read_plan(values, file_name, doubled)


def read_plan(values: Any, file_name: str, faults: Sequence[str] = ()) -> Plan:
    """The plan that plain values hold, as YAML and JSON give them; raises `PlanError`."""
    reading = _Reading(list(faults))
    plan = reading.plan(values)
    if not reading.faults:
        return plan
    said, more = reading.faults[:_MOST_FAULTS_SAID], len(reading.faults) - _MOST_FAULTS_SAID
    if len(said) == 1:
        raise PlanError(f"{file_name}: {said[0]}")
    lines = [*said, f"and {more} more"] if more > 0 else said
    raise PlanError(f"{file_name}: {len(reading.faults)} things are wrong\n  " + "\n  ".join(lines))


def _doubled_names(node: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Names that a YAML mapping has twice: a parser would keep the last one in silence."""
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            yield f"{'.'.join((*path, name))} stands in lines {lines[name]} and {line}; keep one of them"
        lines[name] = line
        yield from _doubled_names(value, (*path, name))


class _Reading:
    """Walks over the values, goes on after a fault, and keeps what is wrong with its place."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        self._first_place: dict[str, tuple[str, PlanType]] = {}

    def plan(self, values: Any) -> Plan:
        if not isinstance(values, dict):
            self.faults.append(f"a plan is a mapping of {', '.join(_SECTIONS)}, not {_said(values)}")
            return Plan()
        self._check_fields("", values, _SECTIONS)
        return Plan(
            mode=self._choice("mode", values.get("mode", "learn"), MODES),
            presets=self._choice("presets", values.get("presets", "allow"), PRESET_CHOICES),
            events={
                name: self._event(f"events.{name}", rule) for name, rule in self._named("events", values.get("events"))
            },
            common_properties=self._event_properties("common_properties", values.get("common_properties")),
            person_properties=self._target_properties("person_properties", values),
            account_properties=self._target_properties("account_properties", values),
        )

    def _event(self, path: str, values: Any) -> EventRule:
        if values is None:
            return EventRule({})
        if not isinstance(values, dict):
            self.faults.append(f"{path} is {_said(values)}; write its {' and '.join(_EVENT_FIELDS)} below it")
            return EventRule({})
        self._check_fields(path, values, _EVENT_FIELDS)
        properties = self._event_properties(f"{path}.properties", values.get("properties"))
        return EventRule(properties, self._text(f"{path}.description", values.get("description", "")))

    def _event_properties(self, path: str, values: Any) -> PropertyRules:
        rules = self._properties(path, values)
        for name, rule in rules.items():
            # The warehouse has one column for a property, whichever event brings it.
            place, first = self._first_place.setdefault(name.lower(), (f"{path}.{name}", rule.type))
            if rule.type != first:
                self.faults.append(
                    f"{path}.{name} is {rule.type}, but {place} is {first}; a property has one type in all events"
                )
        return rules

    def _target_properties(self, section: str, values: dict[Any, Any]) -> PropertyRules | None:
        if section not in values:
            return None
        rules = self._properties(section, values[section])
        for name in (name for name, rule in rules.items() if rule.required):
            self.faults.append(f"{section}.{name}.required: only events can require a property; leave it out")
        return rules

    def _properties(self, path: str, values: Any) -> PropertyRules:
        rules = {name: self._property(f"{path}.{name}", rule) for name, rule in self._named(path, values)}
        seen: dict[str, str] = {}
        for name in rules:
            other = seen.setdefault(name.lower(), name)
            if other != name:
                self.faults.append(f"{path}.{name} and {path}.{other} differ only in case, which names ignore")
        return rules

    def _property(self, path: str, values: Any) -> PropertyRule:
        if isinstance(values, str):  # the short form: amount: number
            return PropertyRule(self._type(path, values))
        if not isinstance(values, dict) or "type" not in values:
            self.faults.append(f"{path} has no type; write one of {', '.join(PLAN_TYPES)}")
            return PropertyRule("text")
        self._check_fields(path, values, _PROPERTY_FIELDS)
        kind = self._type(f"{path}.type", values["type"])
        required = values.get("required", False)
        if not isinstance(required, bool):
            self.faults.append(f"{path}.required is {_said(required)}; write true or false")
        description = self._text(f"{path}.description", values.get("description", ""))
        return PropertyRule(kind, required is True, self._one_of(f"{path}.one_of", values, kind), description)

    def _one_of(self, path: str, values: dict[Any, Any], kind: PlanType) -> tuple[Any, ...]:
        if "one_of" not in values:
            return ()
        choices = values["one_of"]
        if kind not in ("text", "number"):
            self.faults.append(f"{path}: only text and number can have allowed values, this is {kind}; leave it out")
        elif not isinstance(choices, list) or not choices:
            self.faults.append(f"{path} is {_said(choices)}; write a list of the allowed values, such as [web, school]")
        elif wrong := [choice for choice in choices if not _is_choice(choice, kind)]:
            hint = "; write it in quotes" if kind == "text" else ""
            self.faults.append(f"{path} holds {_said(wrong[0])}, which is no {kind}{hint}")
        else:
            return tuple(choices)
        return ()

    def _type(self, path: str, value: Any) -> PlanType:
        if isinstance(value, str) and value.lower() in _OTHER_WORDS:
            self.faults.append(f"{path} is {value!r}; here that is called {_OTHER_WORDS[value.lower()]!r}")
            return "text"
        return self._choice(path, value, PLAN_TYPES)

    def _choice(self, path: str, value: Any, choices: tuple[Choice, ...]) -> Choice:
        if value in choices:
            return cast(Choice, value)
        self.faults.append(f"{path} is {_said(value)}; write one of {', '.join(choices)}{_close(value, choices)}")
        return choices[0]

    def _text(self, path: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        self.faults.append(f"{path} is {_said(value)}; write text, in quotes")
        return ""

    def _named(self, path: str, values: Any) -> list[tuple[str, Any]]:
        """The entries of a section, those with a usable name."""
        if values is None:
            return []
        if not isinstance(values, dict):
            self.faults.append(f"{path} is {_said(values)}; write a name and a colon on each line below it")
            return []
        for name in values:
            if not isinstance(name, str) or not name.strip():
                self.faults.append(f"{path} has the name {_said(name)}; a name is text, write it in quotes")
            elif len(name) > _MAX_NAME_CHARS:
                self.faults.append(f"{path}.{name[:40]}… has {len(name)} characters; at most {_MAX_NAME_CHARS}")
        return [(name, value) for name, value in values.items() if isinstance(name, str)]

    def _check_fields(self, path: str, values: dict[Any, Any], known: tuple[str, ...]) -> None:
        for name in values:
            if name not in known:
                place = f"{path}.{name}" if path else str(name)
                hint = _close(name, known) or f"; there are {', '.join(known)}"
                self.faults.append(f"{place} is unknown{hint}")


def _is_choice(value: Any, kind: PlanType) -> bool:
    if kind == "text":
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _close(value: Any, known: Sequence[str]) -> str:
    close = get_close_matches(str(value).lower(), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _said(value: Any) -> str:
    """A value as YAML calls it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def plan_text(values: dict[str, Any]) -> str:
    """Plain values of a plan as the text of its file: a property a line."""
    return str(yaml.dump(_in_lines(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000))


class _Line(dict[str, Any]):
    """A mapping that is written on one line."""


_Dumper: Any = type("_Dumper", (yaml.SafeDumper,), {})
_Dumper.add_representer(
    _Line, lambda dumper, line: dumper.represent_mapping("tag:yaml.org,2002:map", line.items(), flow_style=True)
)


def _in_lines(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    # The rule of a property; properties of which one is called type look alike, and read the same.
    if isinstance(values.get("type"), str):
        return _Line(values)
    return {name: _in_lines(value) for name, value in values.items()}
