"""The log record: a request as it came, or an operator's act, and its place in the one order.

The layout is append-only: a new field goes last with a default, so that old log files stay readable (ADR 0002).
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

OPERATOR_STREAM = "operator"  # where operators' acts are written


class Position(NamedTuple):
    """Where something stands in the log; positions of one stream compare in the order of arrival."""

    stream: str
    file: int
    offset: int
    message_index: int = 0

    def __str__(self) -> str:
        return f"{self.stream}/{self.file}/{self.offset}/{self.message_index}"


class CutBody(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of a body past the size limit beside its first bytes."""

    length: int
    sha256: str


class Request(msgspec.Struct, array_like=True, frozen=True):
    """An HTTP request as it came; `headers` holds only those that bear on decoding, lower-case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    remote_address: str
    body: bytes
    cut: CutBody | None = None


class Act(msgspec.Struct, array_like=True, frozen=True):
    """Something an operator did that changes the warehouse (ADR 0003); `details` depend on `act`."""

    act: str
    operator: str
    details: dict[str, Any]


class Erased(msgspec.Struct, array_like=True, frozen=True):
    """What was erased of a record (ADR 0014): the indexes of its messages and rejects; none when all of it is gone.

    Where the body could not be taken apart, `kept` is what the rest of it decoded to, as JSON.
    """

    indexes: tuple[int, ...] = ()
    kept: bytes | None = None


class Record(msgspec.Struct, array_like=True, frozen=True):
    """One entry of the log. Exactly one of `request` and `act` is set, but where something was `erased`.

    `received_at_us` is microseconds since 1970 UTC and grows strictly within a stream.
    """

    received_at_us: int
    request: Request | None = None
    act: Act | None = None
    erased: Erased | None = None

    @property
    def received_at(self) -> datetime:
        return datetime.fromtimestamp(self.received_at_us / 1_000_000, UTC)


class Damage(msgspec.Struct, frozen=True):
    """Bytes of the log that were once whole and no longer are: where a record would stand, what became of them.

    `length` counts the bytes that can be named; of a file that is gone there are none. `sha256` is theirs: they stay in
    the log alone, for they may be what somebody's headers held. `received_at_us` is the last arrival before them as far
    as the reader knows: not after the next record's.
    """

    length: int
    detail: str
    sha256: str | None
    received_at_us: int


class _Arrival(msgspec.Struct, array_like=True, frozen=True):
    received_at_us: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)
_arrival_decoder = msgspec.msgpack.Decoder(_Arrival)


def encode_record(record: Record) -> bytes:
    """The record's payload inside a frame."""
    return _encoder.encode(record)


def decode_record(payload: bytes | memoryview) -> Record:
    """Inverse of `encode_record`; raises `msgspec.DecodeError` on bytes that are none."""
    return _decoder.decode(payload)


def decode_arrival_us(payload: bytes | memoryview) -> int:
    """Only the arrival of a record; what else it holds is passed over, not built."""
    return _arrival_decoder.decode(payload).received_at_us
