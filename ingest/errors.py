"""What can go wrong between a socket and the log.

IngestError
├── LogError               the log could not be read or written
│   ├── LogUnavailable     retryable: nothing was acknowledged, the sender should keep its data
│   ├── LogInUse           final: another process writes this stream
│   └── LogDamaged         final: bytes that were once whole no longer are
├── Unreadable             final: a body or message is not what its path promises
└── PlanError              final: a tracking plan is not written as one is; the message names the places
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
    "value_too_long",
    "nested_too_deep",
    "too_many_properties",
    "time_too_old",
    "time_too_far_ahead",
    "too_many_messages",
    "unknown_act",
    "decoder_failed",
    "undeclared_event",
    "wrong_type",
    "missing_property",
    "value_not_allowed",
]


# Why a request was not taken, though nothing was wrong with it; counted, and shown in `/health`.
RefusalReason = Literal["disk_full", "log_unwritable", "backlog_full", "memory_full", "shutting_down"]


class IngestError(Exception):
    """Anything that `ingest` raises on purpose."""


class LogError(IngestError):
    """The log could not be read or written."""


class LogUnavailable(LogError):
    """Nothing was acknowledged; the sender should keep its data and come again. `reason` is what it counts under."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RefusalReason = reason


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


class PlanError(IngestError):
    """A tracking plan is not written as one is; the message names the file, the places and what would be right."""
