"""The watermark: how far each stream of the log is loaded. A vector, opaque to everyone but the loader."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import duckdb


class StreamMark(NamedTuple):
    """How far a stream is read: the next byte, and the last record's arrival."""

    file: int
    offset: int
    received_at_us: int


Watermark = dict[str, StreamMark]


def read_watermark(connection: "duckdb.DuckDBPyConnection") -> Watermark:
    """How far each stream is loaded."""
    rows = connection.execute('select stream, file, "offset", received_at_us from store.watermark').fetchall()
    return {stream: StreamMark(file, offset, received_at_us) for stream, file, offset, received_at_us in rows}
