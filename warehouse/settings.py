"""What can be set about loading, asking and refreshing; each field has a default, a unit and one sentence."""

from dataclasses import dataclass

from ingest.settings import setting


@dataclass(frozen=True)
class WarehouseSettings:
    """Loading the log and answering questions."""

    load_max_bytes: int = setting(16 << 20, "Most bytes of the log decoded into one load.")
    load_max_messages: int = setting(50_000, "A load takes no further request after this many messages.")
    load_max_plain_bytes: int = setting(
        64 << 20, "A load takes no further request after this many bytes of decompressed bodies."
    )
    stream_hold_ms: float = setting(
        200.0,
        "With several log streams, milliseconds for which a record waits for earlier ones of the others.",
        may_be_zero=True,
    )
    load_poll_s: float = setting(0.25, "Seconds between looks at the log while nothing arrives.")
    duplicate_window_s: int = setting(
        600, "Messages without a key count as resent when equal within this many seconds."
    )
    max_property_columns: int = setting(
        400, "Event properties that get a column; values of others go to other_properties."
    )
    max_rejects_bytes: int = setting(
        256 << 20, "Most bytes of originals of rejects kept in the warehouse; the oldest are emptied first."
    )
    memory_limit_mb: int = setting(1024, "Memory DuckDB may use, in megabytes; larger work spills to disk.")
    threads: int = setting(2, "Threads DuckDB may use.")
    query_timeout_s: float = setting(30.0, "Seconds a statement may run.")
    query_max_rows: int = setting(10_000, "Rows a statement returns at most; the answer says when it was cut.")
    query_max_bytes: int = setting(64 << 20, "Bytes a statement returns at most; the answer says when it was cut.")
    refresh_every_s: float = setting(5.0, "Seconds between refreshes of the marts while loads touch them.")
