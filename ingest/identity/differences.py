"""Two versions of the rules side by side: what the later one changes, setting by setting."""

from typing import Any, NamedTuple

import msgspec

from ingest.identity.rules import IdentityRules


class RuleChange(NamedTuple):
    """One setting, named as a file names it, before and after; plain values."""

    setting: str
    before: Any
    after: Any


def rule_changes(before: IdentityRules, after: IdentityRules) -> list[RuleChange]:
    """What differs, keys that either of them knows included."""
    keys = sorted({*before.known_keys(), *after.known_keys()})
    old, new = _settings(before, keys), _settings(after, keys)
    return [RuleChange(name, old[name], new[name]) for name in new if old[name] != new[name]]


def _settings(rules: IdentityRules, keys: list[str]) -> dict[str, Any]:
    names = ("scheme", "links_from", "history", "unknown_keys", "nobody", "somebody", "account_types")
    settings = {name: msgspec.to_builtins(getattr(rules, name)) for name in names}
    settings["known_persons"] = "merge" if rules.merges_known_persons else "stay_apart"
    for key in keys:
        values = msgspec.structs.asdict(rules.key(key))
        settings |= {f"keys.{key}.{name}": value for name, value in values.items()}
    return settings
