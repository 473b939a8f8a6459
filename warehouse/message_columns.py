"""Messages as columns: what the decoder collects of a batch, ready for the tables.

A message costs one short pass here; everything else is done for a whole column at once.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.identity.rules import IdentityRules
from ingest.message import Account, Identity, Message, PropertyChange, message_digest
from ingest.record import Position
from warehouse.one_id.sightings import RulesFrom, Sightings, order_sightings
from warehouse.properties import PropertyBatch, PropertyColumns, spread
from warehouse.uuids import uuids

DAY_US = 86_400_000_000
_MICROSECONDS = pa.timestamp("us")
_ACCOUNTS = pa.map_(pa.string(), pa.list_(pa.string()))


def log_order(received_at_us: int, position: Position) -> str:
    """The canonical order as text that sorts: arrival, then stream, file, offset and message index."""
    return f"{record_order(received_at_us, position)}/{position.message_index:06d}"


def record_order(received_at_us: int, position: Position) -> str:
    """The part of the canonical order that the messages of one record share."""
    return f"{received_at_us:017d}/{position.stream}/{position.file:012d}/{position.offset:012d}"


class MessageColumns:
    """Collects the messages of a batch in canonical order, and the identities that each carries."""

    def __init__(self, columns: PropertyColumns) -> None:
        self.properties = PropertyBatch(columns)
        self._pairs: dict[Identity, int] = {}
        self._sighting_row: list[int] = []
        self._sighting_pair: list[int] = []
        self._rules: list[RulesFrom] = []
        self._messages: list[Message] = []
        self._digests: list[bytes] = []
        self._orders: list[str] = []
        self._received_at_us: list[int] = []

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def pairs(self) -> list[Identity]:
        """Every identity of the batch once, in the order of first sighting."""
        return list(self._pairs)

    def sightings(self) -> Sightings:
        """Which of `pairs` each message carries, in the order of the rules of its time."""
        return order_sightings(self._sighting_row, self._sighting_pair, self.pairs, self._rules)

    def add(self, messages: Sequence[Message], received_at_us: int, position: Position, rules: IdentityRules) -> None:
        """Take the messages of the record at `position`; `rules` are those of its time."""
        if not self._rules or self._rules[-1].rules is not rules:
            self._rules.append(RulesFrom(len(self._messages), rules))
        order = record_order(received_at_us, position)
        pairs, sighting_row, sighting_pair = self._pairs, self._sighting_row, self._sighting_pair
        for row, message in enumerate(messages, len(self._messages)):
            self._orders.append(f"{order}/{message.index:06d}")
            self._digests.append(message_digest(message, position))
            for identity in message.identities:
                sighting_row.append(row)
                sighting_pair.append(pairs.setdefault(identity, len(pairs)))
            if message.properties:
                self.properties.add(row, message.properties)
        self._messages.extend(messages)
        self._received_at_us.extend([received_at_us] * len(messages))

    def to_arrow(self) -> pa.Table:
        """The messages of the batch, a row each."""
        own_times = self._integers("original_event_at_us")
        named = np.fromiter(map(attrgetter("has_own_time"), self._messages), bool, len(self._messages))
        received = np.array(self._received_at_us, dtype=np.int64)
        properties, others = self.properties.to_arrow(len(self._messages))
        return pa.table(
            {
                "row": pa.array(np.arange(len(self._messages), dtype=np.uint32)),
                "message_id": uuids(self._digests),
                "log_order": pa.array(self._orders, pa.string()),
                "received_at": pa.array(received).cast(_MICROSECONDS),
                "received_at_us": pa.array(received),
                "message_index": pa.array(self._integers("index").astype(np.uint32)),
                "is_unbind": pa.array(list(map(attrgetter("is_unbind"), self._messages)), pa.bool_()),
                "event_name": self._texts("event_name"),
                "message_at": pa.array(self._integers("event_at_us")).cast(_MICROSECONDS),
                "original_at": pa.array(own_times).cast(_MICROSECONDS),
                "sent_at": self._values("sent_at_us", _MICROSECONDS),
                "distinct_id": self._texts("distinct_id"),
                "dedupe_key": self._texts("dedupe_key"),
                # Messages that name no time count their keys on day 0.
                "dedupe_date": pa.array(np.where(named, own_times // DAY_US, 0).astype(np.int32)).cast(pa.date32()),
                "content_hash": self._values("content_hash", pa.binary(16)),
                "occurrence": self._values("occurrence", pa.uint32()),
                "account_id": self._texts("account_id"),
                "accounts": self._accounts(),
                "is_leave": self._values("is_leave", pa.bool_()),
                "protocol": self._texts("protocol"),
                "record_type": self._texts("record_type"),
                "source": self._texts("source"),
                "sdk": self._texts("sdk"),
                "sdk_version": self._texts("sdk_version"),
                **self._changes(),
                "properties": properties,
                "other_properties": others,
            }
        )

    def _values(self, field: str, kind: pa.DataType) -> pa.Array:
        return pa.array(list(map(attrgetter(field), self._messages)), kind)

    def _texts(self, field: str) -> pa.Array:
        return self._values(field, pa.string())

    def _integers(self, field: str) -> npt.NDArray[np.int64]:
        return np.fromiter(map(attrgetter(field), self._messages), np.int64, len(self._messages))

    def _accounts(self) -> pa.Array:
        """The accounts beside account_id: type to ids, in the order named."""
        rows = [row for row, each in enumerate(self._messages) if each.accounts]
        found = pa.array([_ids_by_type(self._messages[row].accounts) for row in rows], _ACCOUNTS)
        return spread(found, rows, len(self._messages))

    def _changes(self) -> dict[str, pa.Array]:
        """The columns of property changes, which few messages carry."""
        changes = [(row, each.change) for row, each in enumerate(self._messages) if each.change is not None]
        rows = [row for row, _ in changes]
        found = [change for _, change in changes]

        def column(value: Callable[[PropertyChange], str | None]) -> pa.Array:
            return spread(pa.array(map(value, found), pa.string()), rows, len(self._messages))

        return {
            "target": column(lambda change: change.target),
            "operation": column(lambda change: change.operation),
            "item_type": column(lambda change: change.item[0] if change.item else None),
            "item_id": column(lambda change: change.item[1] if change.item else None),
            "changes": column(lambda change: _json(change.properties)),
        }


def _ids_by_type(accounts: Iterable[Account]) -> list[tuple[str, list[str]]]:
    ids = dict[str, list[str]]()
    for account in accounts:
        ids.setdefault(account.account_type, []).append(account.account_id)
    return list(ids.items())


def _json(properties: dict[str, Any]) -> str:
    return json.dumps(properties, ensure_ascii=False, sort_keys=True)
