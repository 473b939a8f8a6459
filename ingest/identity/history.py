"""The rules that were ever set, and which of them holds for a record.

Chosen by when a record arrived, never by when it is read, so that a rebuild folds as the first load did (ADR 0009).
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.errors import IdentityRulesError
from ingest.identity.reading import read_rules
from ingest.identity.rules import DEFAULT_RULES, SET_IDENTITY_RULES, IdentityRules
from ingest.log.files import read_records
from ingest.message import Identity, Message
from ingest.plan.plan import FORCE_DELAY_US
from ingest.record import OPERATOR_STREAM, Damage

_EVERYTHING = 1 << 62

SetRules = Sequence[tuple[int, str]]
"""When rules were set (microseconds since 1970 UTC) and the details of their act as JSON, oldest first."""


class RulesHistory:
    """Versions of the rules: version 0 holds from the beginning, version n from a second after the n-th act on."""

    def __init__(self, applied: Iterable[tuple[int, str]] = ()) -> None:
        self.applied = sorted(applied, key=lambda each: each[0])
        self._starts = [at + FORCE_DELAY_US for at, _ in self.applied]

    def add(self, applied_at_us: int, details: dict[str, Any]) -> None:
        """The rules of one more act are known."""
        self.applied.append((applied_at_us, json.dumps(details, sort_keys=True)))
        self.applied.sort(key=lambda each: each[0])
        self._starts = [at + FORCE_DELAY_US for at, _ in self.applied]

    def version_at(self, received_at_us: int) -> int:
        """The version in force for what arrived then."""
        return bisect_right(self._starts, received_at_us)

    @property
    def starts(self) -> list[int]:
        """From when on (microseconds since 1970 UTC) version 1, 2, ... holds."""
        return list(self._starts)

    def rules_at(self, received_at_us: int) -> IdentityRules:
        """The rules in force for what arrived then."""
        version = self.version_at(received_at_us)
        return DEFAULT_RULES if version == 0 else _rules_of(self.applied[version - 1][1])

    def owner_of(self, message: Message, received_at_us: int) -> Identity | None:
        """The identity that a message belongs to; None for one about an account or an item alone."""
        owners = self.rules_at(received_at_us).by_priority(message.identities)
        return owners[0] if owners else None

    def versions(self) -> list[IdentityRules]:
        """All versions, the defaults first."""
        return [DEFAULT_RULES, *(_rules_of(details) for _, details in self.applied)]

    def latest(self) -> IdentityRules:
        """The rules that were set last."""
        return self.versions()[-1]


def read_rules_of_log(log: Path) -> RulesHistory:
    """All rules that acts in a log set, also where no warehouse is at hand."""
    found = list[tuple[int, str]]()
    for _, _, record in read_records(log, OPERATOR_STREAM, 0, 0, _EVERYTHING):
        if isinstance(record, Damage) or record.act is None or record.act.act != SET_IDENTITY_RULES:
            continue
        with suppress(IdentityRulesError):  # told as a reject, where it stands
            rules_of(record.act.details)
            found.append((record.received_at_us, json.dumps(record.act.details, sort_keys=True)))
    return RulesHistory(found)


@lru_cache(maxsize=16)
def _rules_of(details: str) -> IdentityRules:
    return rules_of(json.loads(details))


def rules_of(details: dict[str, Any]) -> IdentityRules:
    """The rules in the details of an act; raises `IdentityRulesError`."""
    return read_rules(details.get("rules"), str(details.get("file_name") or "identity rules"))
