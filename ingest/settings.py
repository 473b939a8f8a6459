"""What can be set about receiving and decoding; each field has a default, a unit and one sentence."""

from dataclasses import dataclass, field
from typing import TypeVar

from ingest.protocols.mapping import Webhook

T = TypeVar("T")


def setting(default: T, doc: str, *, may_be_zero: bool = False) -> T:
    """A dataclass field that carries its one sentence of documentation; `onepath doctor` prints it."""
    return field(default=default, metadata={"doc": doc, "may_be_zero": may_be_zero})


@dataclass(frozen=True)
class CollectorSettings:
    """Receiving requests and writing the log."""

    host: str = setting("127.0.0.1", "Address the collector listens on.")
    port: int = setting(8106, "Port the collector listens on.")
    allowed_hosts: str = setting(
        "", "Comma-separated Host names to answer to beside local ones; empty: any, but on 127.0.0.1 local ones only."
    )
    stream: str = setting("collector", "Name of the log stream this collector writes; one process per stream.")
    max_body_bytes: int = setting(
        8 << 20, "Largest request body in bytes; of a larger one the first bytes are kept as a reject."
    )
    kept_body_bytes: int = setting(4096, "Bytes kept of a body over the limit.")
    max_log_file_bytes: int = setting(64 << 20, "A log file is sealed and the next one begun after this many bytes.")
    workers: int = setting(1, "Processes that receive behind the one port, each with a log stream of its own.")
    reserved_bytes: int = setting(
        64 << 20,
        "Bytes of disk kept free for the hour when the disk is full, for each log stream; 0: none.",
        may_be_zero=True,
    )
    max_backlog_bytes: int = setting(
        10 << 30,
        "Requests are refused while more bytes of the log than this are not loaded; 0: no limit.",
        may_be_zero=True,
    )
    max_waiting_bytes: int = setting(
        256 << 20,
        "Bytes held of requests not yet answered and of records not yet written, before more are refused; 0: no limit.",
        may_be_zero=True,
    )
    group_commit_wait_ms: float = setting(
        0.0,
        "Milliseconds to gather requests before each sync; raise it only where syncs are slow or paid for one by one.",
        may_be_zero=True,
    )
    request_timeout_s: float = setting(
        30.0, "A request that has not arrived whole after this many seconds is dropped with its connection."
    )
    retry_after_s: int = setting(30, "Seconds after which a refused client is asked to come again, where it listens.")
    trusted_proxies: str = setting(
        "", "Comma-separated addresses or ranges of the proxies whose X-Forwarded-For is believed; empty: nobody's."
    )


@dataclass(frozen=True)
class DecodeSettings:
    """What is accepted as a message. A change applies to what is loaded from now on, and to all on a rebuild."""

    max_decompressed_bytes: int = setting(16 << 20, "Largest decompressed body in bytes (gzip bombs stop here).")
    max_messages: int = setting(10_000, "Most messages in one request.")
    max_original_bytes: int = setting(
        64 << 10, "Most bytes kept of a refused message or body; its length and hash stay."
    )
    max_name_chars: int = setting(
        255, "Longest name, key or id in characters: of events, properties, identities, accounts, items."
    )
    max_value_chars: int = setting(65_536, "Longest text among the properties of a message, in characters.")
    max_properties: int = setting(1000, "Most properties of one message.")
    max_nested_values: int = setting(10_000, "Most values within the objects and lists of one message's properties.")
    max_nesting: int = setting(16, "Deepest nesting of objects and lists in a property.")
    event_max_age_days: int = setting(3650, "Oldest accepted event time, in days before arrival.")
    event_max_ahead_s: int = setting(86_400, "Furthest accepted event time after arrival, in seconds.")
    clock_correction_over_s: int = setting(
        60, "Client times are corrected when send and receive time differ by more seconds than this."
    )
    # From onepath.toml and the folder webhooks/ beside it, which `api` reads.
    write_keys: frozenset[str] = field(default=frozenset(), repr=False)
    webhooks: tuple[Webhook, ...] = ()
