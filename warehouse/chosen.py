"""Chosen records: single records of the log, read again by their position.

Pure but for reading the log. A record whose log file is gone is reported, never taken for another.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import LogDamaged
from ingest.log.files import Entry, read_records
from ingest.message import Decoded
from ingest.record import Damage, Position, Record
from warehouse.message_columns import record_order

_ALL_BYTES = 1 << 62


@dataclass(frozen=True)
class ChosenRecord:
    """A record to decode again; its messages at `indexes` are wanted, and all after `rest_after`."""

    stream: str
    file: int
    offset: int
    received_at_us: int
    indexes: frozenset[int]
    rest_after: int | None = None

    @property
    def record_order(self) -> str:
        """The record's `log_order`, without a message index."""
        return record_order(self.received_at_us, Position(self.stream, self.file, self.offset))

    def orders(self) -> list[str]:
        """The places of the messages that were chosen by name."""
        return [f"{self.record_order}/{index:06d}" for index in sorted(self.indexes)]

    def wants(self, index: int) -> bool:
        """Whether the message at `index` of the record is to be taken."""
        return index in self.indexes or (self.rest_after is not None and index > self.rest_after)

    def only_wanted(self, decoded: Decoded) -> Decoded:
        """What is wanted of the record."""
        return Decoded(
            [message for message in decoded.messages if self.wants(message.index)],
            [reject for reject in decoded.rejects if self.wants(reject.index)],
        )


def choose_orders(orders: Iterable[str]) -> tuple[ChosenRecord, ...]:
    """The messages at these places in the log (texts of `log_order`), record by record in canonical order."""
    indexes: dict[str, set[int]] = {}
    for order in sorted(orders):
        record, _, index = order.rpartition("/")
        indexes.setdefault(record, set()).add(int(index))
    return tuple(choose_record(record, wanted) for record, wanted in indexes.items())


def choose_record(record_order: str, indexes: Iterable[int], rest_after: int | None = None) -> ChosenRecord:
    """A record named by its `log_order` without the message index."""
    received_at_us, stream, file, offset = record_order.split("/")
    return ChosenRecord(stream, int(file), int(offset), int(received_at_us), frozenset(indexes), rest_after)


def read_chosen(log: Path, chosen: Iterable[ChosenRecord]) -> Iterator[tuple[ChosenRecord, Record | None]]:
    """Each record in the order given, in which positions of one stream must grow; None for one that is gone."""
    readers: dict[str, _StreamReader] = {}
    for each in chosen:
        reader = readers.setdefault(each.stream, _StreamReader(log, each.stream))
        yield each, reader.read(each.file, each.offset)


class _StreamReader:
    """Reads on in one stream, a file at a time."""

    def __init__(self, log: Path, stream: str) -> None:
        self._log = log
        self._stream = stream
        self._file: int | None = None
        self._records: Iterator[Entry] = iter(())
        self._next: tuple[Position, Record | Damage] | None = None

    def read(self, file: int, offset: int) -> Record | None:
        if self._file != file:
            self._file, self._next = file, None
            self._records = read_records(self._log, self._stream, file, offset, _ALL_BYTES)
        while self._next is None or self._next[0][1:3] < (file, offset):
            try:
                found = next(self._records, None)
            except LogDamaged:  # its file is gone, and so are all later ones
                return None
            if found is None:
                return None
            self._next = found[0], found[2]
        position, record = self._next
        return record if position[1:3] == (file, offset) and isinstance(record, Record) else None
