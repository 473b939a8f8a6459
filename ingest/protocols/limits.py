"""Limits: what a message of any family must have, and how much it may hold."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ingest.errors import Unreadable
from ingest.message import Message, Protocol
from ingest.protocols.values import time_text
from ingest.settings import DecodeSettings

# Families whose key is the sender's own; the others put theirs together of several texts, each within the limit.
_OWN_KEYS = frozenset({"native", "segment"})
_MOST_TEXTS_OF_A_KEY = 4
_DAY_US = 86_400_000_000


class Limits:
    """The rules that hold for every family, for the messages of one request."""

    def __init__(self, protocol: Protocol, received_at_us: int, settings: DecodeSettings) -> None:
        self._settings = settings
        self._earliest_us = received_at_us - settings.event_max_age_days * _DAY_US
        self._latest_us = received_at_us + settings.event_max_ahead_s * 1_000_000
        self._most_name_chars = settings.max_name_chars
        self._most_key_chars = settings.max_name_chars * (1 if protocol in _OWN_KEYS else _MOST_TEXTS_OF_A_KEY)

    def check(self, message: Message) -> Message:
        """The message as it may be kept; raises `Unreadable`."""
        if not message.identities and (message.change is None or message.change.target == "person"):
            raise Unreadable("missing_identity", "no id of a person: send a distinct_id, userId or identities")
        if message.event_name is not None and not message.event_name.strip():
            raise Unreadable("missing_event_name", "an event needs a name")
        if not self._earliest_us <= message.event_at_us <= self._latest_us:
            raise self._out_of_time(message.event_at_us)
        if self._has_long_name(message):
            self._look_closer(message)
        change = message.change
        check_values(message.properties if change is None else change.properties, self._settings)
        most, sdk, version = self._most_name_chars, message.sdk, message.sdk_version
        if (sdk is not None and len(sdk) > most) or (version is not None and len(version) > most):
            return msgspec.structs.replace(message, sdk=sdk and sdk[:most], sdk_version=version and version[:most])
        return message

    def _has_long_name(self, message: Message) -> bool:
        # Runs for every message, so it looks no further than it must; which text it is, is asked afterwards.
        most = self._most_name_chars
        for identity in message.identities:
            if len(identity.value) > most or len(identity.key) > most:
                return True
        name, account_id, distinct_id = message.event_name, message.account_id, message.distinct_id
        key, change = message.dedupe_key, message.change
        return (
            (name is not None and len(name) > most)
            or (distinct_id is not None and len(distinct_id) > most)
            or (key is not None and len(key) > self._most_key_chars)
            or (account_id is not None and len(account_id) > most)
            or bool(message.accounts)
            or (change is not None and change.item is not None)
        )

    def _look_closer(self, message: Message) -> None:
        if len(message.accounts) > self._settings.max_properties:
            detail = f"{len(message.accounts)} accounts; at most {self._settings.max_properties}"
            raise Unreadable("too_many_properties", detail)
        for what, text, most in self._texts_of(message):
            if len(text) > most:
                raise Unreadable("name_too_long", f"{what} has {len(text)} characters; at most {most}")

    def _texts_of(self, message: Message) -> Iterable[tuple[str, str, int]]:
        most = self._most_name_chars
        yield "the event name", message.event_name or "", most
        yield "the account id", message.account_id or "", most
        for account in message.accounts:
            yield "an account type", account.account_type, most
            yield f"the id of a {account.account_type[:99]}", account.account_id, most
        for identity in message.identities:
            yield "an identity key", identity.key, most
            yield f"identity {identity.key}", identity.value, most
        yield "the distinct_id", message.distinct_id or "", most
        yield "the dedupe key", message.dedupe_key or "", self._most_key_chars
        if message.change is not None and message.change.item is not None:
            item_type, item_id = message.change.item
            yield "the item_type", item_type, most
            yield "the item_id", item_id, most

    def _out_of_time(self, event_at_us: int) -> Unreadable:
        when = f"event time {time_text(event_at_us)}"
        if event_at_us < self._earliest_us:
            return Unreadable("time_too_old", f"{when} is over {self._settings.event_max_age_days} days old")
        return Unreadable(
            "time_too_far_ahead", f"{when} is over {self._settings.event_max_ahead_s} s ahead of its arrival"
        )


def check_values(properties: dict[str, Any], settings: DecodeSettings) -> None:
    """Refuse properties beyond the limits on their number, names, length and nesting; raises `Unreadable`."""
    if len(properties) > settings.max_properties:
        detail = f"{len(properties)} properties; at most {settings.max_properties}"
        raise Unreadable("too_many_properties", detail)
    most, most_name_chars, nested_count = settings.max_value_chars, settings.max_name_chars, 0
    for name, value in properties.items():
        kind = type(value)
        if kind is str:
            if len(value) > most:
                raise _value_too_long(name, len(value), most)
        elif kind is dict or kind is list:
            nested_count = _check_nested(name, value, nested_count, settings)
        if len(name) > most_name_chars:
            detail = f"property {name[:99]!r}... has a name of {len(name)} characters; at most {most_name_chars}"
            raise Unreadable("name_too_long", detail)


def _check_nested(name: str, value: Any, nested_count: int, settings: DecodeSettings) -> int:
    """The nested values of the message so far, with those of this property."""
    level: list[Any] = [value]
    depth = 1
    while level:
        if depth > settings.max_nesting:
            raise Unreadable("nested_too_deep", f"property {name[:99]!r} nests deeper than {settings.max_nesting}")
        nested_count += sum(map(len, level))
        if nested_count > settings.max_nested_values:
            detail = f"more than {settings.max_nested_values} values in objects and lists, up to property {name[:99]!r}"
            raise Unreadable("too_many_properties", detail)
        within = list[Any]()
        for each in level:
            within += [*each, *each.values()] if isinstance(each, dict) else each
        longest = max((len(part) for part in within if isinstance(part, str)), default=0)
        if longest > settings.max_value_chars:
            raise _value_too_long(name, longest, settings.max_value_chars)
        level, depth = [part for part in within if isinstance(part, dict | list)], depth + 1
    return nested_count


def _value_too_long(name: str, length: int, most: int) -> Unreadable:
    return Unreadable("value_too_long", f"property {name[:99]!r} holds {length} characters; at most {most}")
