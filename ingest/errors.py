"""What can go wrong between a socket and the log.

IngestError
├── LogError               the log could not be read or written
│   ├── LogUnavailable     retryable: nothing was acknowledged, the sender should keep its data
│   ├── LogInUse           final: another process writes this stream
│   ├── LogUnreadable      retryable: the disk or the permissions refuse a file of the log
│   └── LogDamaged         final: files of the log that were read once are gone
├── Unreadable             final: a body or message is not what its path promises
├── PlanError              final: a tracking plan is not written as one is; the message names the places
├── IdentityRulesError     final: identity rules are not written as such, or go back to a narrower scheme
├── MappingError           final: a webhook's mapping names no JSON path
├── CannotErase            final: a request of several persons cannot be taken apart
└── UntrustedProxies       final: the setting trusted_proxies names no addresses
"""

from typing import Literal

RejectReason = Literal[
    "body_too_large",
    "decompressed_too_large",
    "unreadable_body",
    "encrypted_body",
    "unreadable_message",
    "unknown_write_key",
    "webhook_mapping",
    "webhook_unmatched",
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
    "unknown_identity_key",
    "decoder_failed",
    "log_damaged",
    "undeclared_event",
    "wrong_type",
    "missing_property",
    "value_not_allowed",
]


# Why a request was not taken, though nothing was wrong with it; counted, and shown in `/health`.
RefusalReason = Literal[
    "disk_full", "log_unwritable", "backlog_full", "memory_full", "request_timeout", "shutting_down"
]


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


class LogUnreadable(LogError):
    """The disk or the permissions refuse a file of the log; it may be readable later, so nothing is passed over."""


class LogDamaged(LogError):
    """Files of the log that were read once are gone. Damage inside of it is told in its place: `record.Damage`."""


class Unreadable(IngestError):
    """A body or a message is not what its path promises; `reason` names the kind for the rejects table."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectReason = reason
        self.detail = detail


class PlanError(IngestError):
    """A tracking plan is not written as one is; the message names the file, the places and what would be right."""


class IdentityRulesError(IngestError):
    """Identity rules are not written as such, or go back to a narrower scheme; the message says what would be right."""


class MappingError(IngestError):
    """A webhook's mapping cannot be followed; the message says what is no path."""


class UntrustedProxies(IngestError):
    """The setting trusted_proxies holds something that is neither an address nor a range of them."""


class CannotErase(IngestError):
    """A request that holds messages of several persons cannot be taken apart, so that one of them could be erased."""
