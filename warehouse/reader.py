"""A snapshot of the warehouse, and the one way to ask it.

Everything one answer needs is read from one snapshot, so its parts agree and share one watermark.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

OwnedName = tuple[str, str]
"""Whose property (`person`, or an account type such as `account` or `family`), and its name."""


class Snapshot(Protocol):
    """The warehouse as it stood at one moment; a question never sees half a load."""

    @property
    def watermark(self) -> str:
        """How much of the log this snapshot holds: opaque, equal for equal contents."""
        ...

    def query(self, sql: str) -> pa.Table:
        """Run one SELECT over the public views and return its rows."""
        ...

    def event_properties(self) -> "list[EventProperty]":
        """The properties seen on events so far, by name."""
        ...

    def unseen_events(self, names: Set[str]) -> frozenset[str]:
        """Those of `names` that no event has had so far, in this world or the present one."""
        ...

    def unseen_properties(self, names: Set[OwnedName]) -> frozenset[OwnedName]:
        """Those of `names` that no call has ever set, in this world or the present one."""
        ...

    def seen_properties(self, owner: str) -> frozenset[str]:
        """The properties that calls have ever set of persons, or of accounts of one type, in the present world."""
        ...


@dataclass(frozen=True)
class EventProperty:
    """A property seen on events, and the type its column has (`boolean`, `number`, `text`, `list`).

    `misfit_names` are those under which values that did not fit the column are in `other_properties`: spellings of the
    name, which is one whatever their case.
    """

    name: str
    type: str
    misfit_names: tuple[str, ...] = ()
