"""Reading identity rules from YAML text or plain values; says what is wrong, where, and what would be right."""

import re
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import yaml  # type: ignore[import-untyped]  # it ships no types

from ingest.errors import IdentityRulesError
from ingest.identity.guard import NobodyList
from ingest.identity.keys import KeyRule, preset_rule
from ingest.identity.rules import (
    DEFAULT_ACCOUNT_TYPES,
    SCHEMES,
    AccountType,
    History,
    IdentityRules,
    KnownPersons,
    LinksFrom,
    Scheme,
    UnknownKeys,
)


class _RulesFile(msgspec.Struct, forbid_unknown_fields=True):
    scheme: Scheme = "graph"
    links_from: LinksFrom = "every_message"
    history: History = "follows"
    unknown_keys: UnknownKeys = "learn"
    known_persons: KnownPersons | None = None
    keys: dict[str, Any] = {}
    nobody: NobodyList = NobodyList()
    somebody: NobodyList = NobodyList()
    account_types: tuple[AccountType, ...] = DEFAULT_ACCOUNT_TYPES


_STRUCTS: Mapping[str, type[msgspec.Struct]] = {
    "keys": KeyRule,
    "nobody": NobodyList,
    "somebody": NobodyList,
    "account_types": AccountType,
}
_WORDS = {
    "object": "fields with values",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "null": "empty",
}


def read_values(text: str, file_name: str) -> Any:
    """What YAML text holds, as plain values; raises `IdentityRulesError` naming the file and the fault."""
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise IdentityRulesError(f"{file_name} is not YAML: {' '.join(str(error).split())}") from error
    return {} if values is None else values


def read_rules_text(text: str, file_name: str) -> IdentityRules:
    """The rules that YAML text holds; raises `IdentityRulesError` naming the file and the fault."""
    return read_rules(read_values(text, file_name), file_name)


def rules_text(values: dict[str, Any]) -> str:
    """Plain values of rules as the text of their file."""
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000))


def read_rules(values: Any, file_name: str) -> IdentityRules:
    """The rules that plain values hold, as YAML and JSON give them; raises `IdentityRulesError`."""
    try:
        read = msgspec.convert(values, _RulesFile)
    except msgspec.ValidationError as error:
        raise IdentityRulesError(f"{file_name}: {_in_words(str(error))}") from error
    keys = {name: _key_rule(name, given, file_name) for name, given in read.keys.items()}
    _check_keys(keys, file_name)
    _check_account_types(read.account_types, file_name)
    return IdentityRules(
        scheme=read.scheme,
        links_from=read.links_from,
        history=read.history,
        unknown_keys=read.unknown_keys,
        known_persons=read.known_persons,
        keys=keys,
        nobody=read.nobody,
        somebody=read.somebody,
        account_types=read.account_types,
    )


def check_upgrade(before: IdentityRules, after: IdentityRules) -> None:
    """A project may go to a later scheme only; raises `IdentityRulesError`."""
    if SCHEMES.index(after.scheme) < SCHEMES.index(before.scheme):
        raise IdentityRulesError(
            f"scheme {after.scheme!r} is narrower than {before.scheme!r}, which is in force: persons that were joined "
            f"would have to fall apart. Go on with {before.scheme!r} or a later one of {', '.join(SCHEMES)}"
        )


def _key_rule(name: str, given: Any, file_name: str) -> KeyRule:
    """What a file says of a key, over what is preset for it."""
    if not isinstance(given, dict):
        raise IdentityRulesError(f"{file_name}: keys.{name} is {given!r}; give it fields, such as values: single")
    preset = msgspec.structs.asdict(preset_rule(name) or KeyRule())
    try:
        return msgspec.convert({**preset, **given}, KeyRule)
    except msgspec.ValidationError as error:
        raise IdentityRulesError(f"{file_name}: {_in_words(str(error), f'keys.{name}')}") from error


def _in_words(error: str, above: str = "") -> str:
    """What msgspec found, as a sentence that names the place and says what would be right."""
    fault, _, path = error.partition(" - at `")
    place = ".".join(filter(None, (above, path.partition("$")[2].removeprefix(".").partition("`")[0])))
    names = re.findall(r"[\w$]+", place)
    where = place or "the top level"
    if "[...]" in place or path.startswith("key`"):  # msgspec does not say which entry
        where = f"{'a name' if path.startswith('key`') else 'an entry'} in {place.partition('[...]')[0]}"
    fields = _fields(_STRUCTS.get(names[0], _RulesFile) if names else _RulesFile)
    if found := re.fullmatch("Object contains unknown field `(.+)`", fault):
        return f"{where} has no field {found[1]!r}; it may have {', '.join(fields)}"
    if found := re.fullmatch("Object missing required field `(.+)`", fault):
        return f"{where} has no {found[1]}; give it one"
    choices = _choices(fields.get(names[-1])) if names else []
    if found := re.fullmatch("Invalid enum value (.+)", fault):
        return f"{where} is {found[1]}; it may be {', '.join(choices)}"
    if found := re.fullmatch("Expected `(.+)`, got `(.+)`", fault):
        right = f"one of {', '.join(choices)}" if choices else _in_plain(found[1]).replace("text", "text, in quotes")
        return f"{where} is {_in_plain(found[2])}; it has to be {right}"
    return f"{where}: {fault}"


def _fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def _choices(annotation: Any) -> list[str]:
    """The values of a closed set, whether or not it may be left out."""
    inner = get_args(annotation)
    return [text for each in inner for text in ([each] if isinstance(each, str) else _choices(each))]


def _in_plain(types: str) -> str:
    return " or ".join(_WORDS.get(name.strip(), f"a {name.strip()}") for name in types.split("|"))


def _check_keys(keys: dict[str, KeyRule], file_name: str) -> None:
    for name, rule in keys.items():
        if rule.limit < 1:
            raise IdentityRulesError(f"{file_name}: keys.{name}.limit is {rule.limit}; a person has at least 1 value")
        seen, parent = {name}, rule.parent
        while parent is not None:
            if parent in seen:
                raise IdentityRulesError(
                    f"{file_name}: keys.{name} is below itself by its parents; leave one parent out"
                )
            if parent not in keys and preset_rule(parent) is None:
                raise IdentityRulesError(
                    f"{file_name}: keys.{name}.parent is {parent!r}, which is no key; name a preset or declared one"
                )
            seen.add(parent)
            parent = keys[parent].parent if parent in keys else None


def _check_account_types(types: tuple[AccountType, ...], file_name: str) -> None:
    names = [each.name for each in types]
    if not names:
        raise IdentityRulesError(f"{file_name}: account_types is empty; name at least one, such as school")
    for name in names:
        if not name:
            raise IdentityRulesError(f"{file_name}: account_types has an empty name; give it one, such as school")
        if name in ("person", "item"):
            raise IdentityRulesError(
                f"{file_name}: account_types names {name!r}, which is no account; use another name"
            )
        if names.count(name) > 1:
            raise IdentityRulesError(f"{file_name}: account_types names {name!r} twice; name each once")
