"""What can go wrong between a socket and the log.

IngestError
├── LogError               the log could not be read or written
│   ├── LogUnavailable     retryable: nothing was acknowledged, the sender should keep its data
│   ├── LogInUse           final: another process writes this stream
│   └── LogDamaged         final: bytes that were once whole no longer are
└── Unreadable             final: a body or message is not what its path promises
"""

from typing import Literal

RejectReason = Literal[
    "body_too_large",
    "decompressed_too_large",
    "unreadable_body",
    "unreadable_message",
    "unknown_record_type",
    "missing_event_name",
    "missing_identity",
    "missing_account",
    "name_too_long",
    "time_too_old",
    "time_too_far_ahead",
    "too_many_messages",
    "unknown_act",
    "decoder_failed",
]


class IngestError(Exception):
    """Anything that `ingest` raises on purpose."""


class LogError(IngestError):
    """The log could not be read or written."""


class LogUnavailable(LogError):
    """Nothing was acknowledged; the sender should keep its data and come again."""


class LogInUse(LogError):
    """Another process writes this stream."""


class LogDamaged(LogError):
    """Bytes of the log that were once whole no longer are."""


class Unreadable(IngestError):
    """A body or a message is not what its path promises; `reason` names the kind for the rejects table."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectReason = reason
        self.detail = detail
