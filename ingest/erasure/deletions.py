"""Deletions: whom the acts `delete_person` of a log erase, told by keyed hashes alone (ADR 0014)."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ingest.errors import Unreadable
from ingest.log.files import read_records
from ingest.message import Identity
from ingest.record import OPERATOR_STREAM, Act, Damage, Position

DELETE_PERSON = "delete_person"
_EVERYTHING = 1 << 62

Place = tuple[int, str, int, int, int]
"""Arrival (microseconds since 1970 UTC), stream, file, offset and message index: it compares as the canonical order."""


class PairSpan(msgspec.Struct, frozen=True):
    """A hashed pair of identity key and value, and where in the log it was the person's: from `since`, before `until`.

    Both are places as text (`log_order`); None has no end.
    """

    digest: str
    since: str | None = None
    until: str | None = None


class DeletePerson(msgspec.Struct, frozen=True):
    """The details of the act: hashes of the person's pairs, and of the values that nobody else had; what went.

    `until_us` says until which arrival it holds, where that is not the act's own: a restored log had lost it.
    """

    person_id: str
    pairs: tuple[PairSpan, ...]
    values: tuple[str, ...]
    erased: dict[str, int] = {}
    until_us: int | None = None


class Deletion(NamedTuple):
    """What an act `delete_person` says: what arrived until then (microseconds since 1970 UTC) is erased."""

    until_us: int
    details: DeletePerson


def pair_digest(salt: bytes, identity: Identity) -> str:
    """A keyed hash of a pair."""
    name = f"{identity.key}\0{identity.value}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=16, key=salt, person=b"forgotten pair").hexdigest()


def value_digest(salt: bytes, value: str) -> str:
    """A keyed hash of an identity's value, whatever its key."""
    name = value.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=16, key=salt, person=b"forgotten value").hexdigest()


def read_deletion(details: dict[str, Any]) -> DeletePerson:
    """The details of an act. Raises `Unreadable`."""
    try:
        found = msgspec.convert(details, DeletePerson)
        for pair in found.pairs:
            for order in filter(None, (pair.since, pair.until)):
                place_of(order)
    except (msgspec.ValidationError, ValueError) as error:
        raise Unreadable("unreadable_message", f"{DELETE_PERSON}: {error}") from error
    return found


def deletion_act(operator: str, details: DeletePerson) -> Act:
    """The act that erases a person, for the log."""
    return Act(DELETE_PERSON, operator, msgspec.to_builtins(details))


def read_deletions(log: Path) -> list[Deletion]:
    """The deletions in the operators' stream, which is small."""
    found = list[Deletion]()
    for _, _, record in read_records(log, OPERATOR_STREAM, 0, 0, _EVERYTHING):
        if isinstance(record, Damage) or record.act is None or record.act.act != DELETE_PERSON:
            continue
        with suppress(Unreadable):  # told as a reject, where it stands
            details = read_deletion(record.act.details)
            found.append(Deletion(details.until_us or record.received_at_us, details))
    return found


def fingerprint(deletions: Iterable[Deletion]) -> str:
    """A text that is equal for equal deletions, in whatever order; empty for none."""
    names = sorted(f"{until_us}/{details.person_id}" for until_us, details in deletions)
    return hashlib.sha256("\n".join(names).encode()).hexdigest() if names else ""


def place_of(order: str) -> Place:
    """A `log_order` as a place; what stands behind its message index is left out. Raises ValueError."""
    received_at_us, stream, file, offset, index, *_ = order.split("/")
    return int(received_at_us), stream, int(file), int(offset), int(index)


class _Span(NamedTuple):
    until_us: int
    since: Place | None
    until: Place | None

    def holds(self, place: Place) -> bool:
        return (
            place[0] <= self.until_us
            and (self.since is None or self.since <= place)
            and (self.until is None or place < self.until)
        )


class Deletions:
    """All deletions of a log, asked record by record."""

    def __init__(self, deletions: Iterable[Deletion], salt: str) -> None:
        self._key = salt.encode()
        self._spans: dict[str, list[_Span]] = defaultdict(list)
        self._values: dict[str, int] = {}
        self.last_us = 0
        for until_us, details in deletions:
            self.last_us = max(self.last_us, until_us)
            for pair in details.pairs:
                span = _Span(until_us, *(place_of(order) if order else None for order in (pair.since, pair.until)))
                self._spans[pair.digest].append(span)
            for value in details.values:
                self._values[value] = max(self._values.get(value, 0), until_us)
        # Every identity of a log is asked for, most of them many times.
        self._spans_of = lru_cache(maxsize=1 << 16)(self._find_spans)

    def owns(self, identity: Identity, received_at_us: int, position: Position, index: int) -> bool:
        """Whether the pair belonged to an erased person there."""
        spans = self._spans_of(identity)
        if not spans:
            return False
        place = (received_at_us, position.stream, position.file, position.offset, index)
        return any(span.holds(place) for span in spans)

    @property
    def has_ended(self) -> bool:
        """Whether an erased person ever held a pair that was freed and came again."""
        return any(span.until is not None for spans in self._spans.values() for span in spans)

    def ended_before(self, identity: Identity, order: str) -> int:
        """How many erased persons held the pair and had it freed before this place (a `log_order`)."""
        spans = self._spans_of(identity)
        return len({span.until for span in spans if span.until is not None and span.until <= place_of(order)})

    def is_own_value(self, text: str, received_at_us: int) -> bool:
        """Whether this was a value that an erased person alone had."""
        until_us = self._values.get(value_digest(self._key, text)) if self._values else None
        return until_us is not None and received_at_us <= until_us

    def _find_spans(self, identity: Identity) -> list[_Span]:
        return self._spans.get(pair_digest(self._key, identity), [])
