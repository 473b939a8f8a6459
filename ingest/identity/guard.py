"""Values that are nobody: the list is data (`nobody.yaml`), and a project may add to it or take from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec
import yaml  # type: ignore[import-untyped]  # it ships no types

from ingest.message import Identity

_ZEROS = re.compile(r"0[0-]*")


class NobodyList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values by key, and values of any key."""

    any_key: tuple[str, ...] = ()
    by_key: dict[str, tuple[str, ...]] = {}


@cache
def preset_nobody() -> NobodyList:
    """The list that every project starts with."""
    text = resources.files("ingest.identity").joinpath("nobody.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), NobodyList)


@dataclass(frozen=True)
class Guard:
    """Tells values that are nobody. Compares lower-case, without blanks around."""

    any_key: frozenset[str]
    by_key: Mapping[str, frozenset[str]]
    somebody: NobodyList

    @classmethod
    def of(cls, added: NobodyList, somebody: NobodyList) -> "Guard":
        """The preset list with the values `added`; those of `somebody` are taken from it."""
        preset = preset_nobody()
        keys = {*preset.by_key, *added.by_key}
        return cls(
            any_key=_plain(preset.any_key + added.any_key),
            by_key={key: _plain(preset.by_key.get(key, ()) + added.by_key.get(key, ())) for key in keys},
            somebody=somebody,
        )

    def is_nobody(self, identity: Identity) -> bool:
        """Whether a value names nobody, so that it must not link."""
        value = identity.value.strip().lower()
        is_listed = (
            value in self.any_key or value in self.by_key.get(identity.key, ()) or _ZEROS.fullmatch(value) is not None
        )
        return is_listed and not (
            value in _plain(self.somebody.any_key) or value in _plain(self.somebody.by_key.get(identity.key, ()))
        )


def _plain(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value.strip().lower() for value in values)
