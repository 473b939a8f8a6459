"""Mappings: how a webhook's JSON becomes messages, by JSON path (RFC 9535).

Plain data, so that a mapping can be part of the settings that decoding depends on; paths are compiled once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from ingest.errors import MappingError, Unreadable
from ingest.message import Source

if TYPE_CHECKING:
    from jsonpath import JSONPath

SignatureAlgorithm = Literal["hmac-sha256", "hmac-sha1", "plain"]
SignatureEncoding = Literal["hex", "base64"]
WebhookRecordType = Literal["track", "identify", "group"]


@lru_cache(maxsize=4096)
def _compile(text: str) -> "JSONPath":
    from jsonpath import JSONPath, JSONPathEnvironment  # slow to import, and few have webhooks

    found = JSONPathEnvironment(strict=True).compile(text)
    assert isinstance(found, JSONPath)
    return found


@dataclass(frozen=True, slots=True)
class Path:
    """A JSON path from the whole body (`$.id`) or from the item that a message is made of (`@.id`)."""

    text: str

    def check(self) -> None:
        """Raise `MappingError` when it cannot be read."""
        from jsonpath.exceptions import JSONPathError

        try:
            _compile("$" + self.text[1:])
        except JSONPathError as error:
            raise MappingError(f"{self.text!r} is no JSON path: {str(error).splitlines()[0]}") from error

    def find_all(self, body: Any, item: Any) -> Iterator[Any]:
        """Every value it leads to, each looked for when it is asked for; nulls count as absent.

        Raises `Unreadable` where `..` leads deeper than a hundred levels.
        """
        from jsonpath.exceptions import JSONPathRecursionError

        try:
            for match in _compile("$" + self.text[1:]).finditer(item if self.text.startswith("@") else body):
                if match.obj is not None:
                    yield match.obj
        except JSONPathRecursionError as error:
            raise Unreadable("nested_too_deep", f"{self.text!r} leads deeper than a hundred levels") from error

    def find(self, body: Any, item: Any) -> Any:
        """The first value it leads to, or None."""
        return next(self.find_all(body, item), None)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the mapping itself."""

    value: str | int | float | bool

    def find(self, _body: Any, _item: Any) -> Any:
        return self.value


Value = Path | Constant


@dataclass(frozen=True, slots=True)
class Condition:
    """When a message is made: the path finds one of the values, or (without values) anything, or nothing."""

    path: Path
    values: tuple[Any, ...] | None = None
    is_set: bool = True

    def holds(self, body: Any, item: Any) -> bool:
        found = self.path.find_all(body, item)
        if self.values is None:
            return (next(found, None) is not None) == self.is_set
        return any(value in self.values for value in found)


@dataclass(frozen=True, slots=True)
class MessageMapping:
    """One kind of message: when a body holds it, and where its parts stand."""

    record_type: WebhookRecordType = "track"
    event_name: Value | None = None
    items: Path | None = None
    when: tuple[Condition, ...] = ()
    event_at: Value | None = None
    timezone: str = "UTC"
    identities: tuple[tuple[str, Value], ...] = ()
    account_id: Value | None = None
    accounts: tuple[tuple[str, Value], ...] = ()  # by account type
    dedupe_key: Value | None = None
    properties: tuple[tuple[str, Value], ...] = ()
    properties_from: Path | None = None
    source: Source = "server"


@dataclass(frozen=True, slots=True)
class Signature:
    """How a sender proves that it knows the secret; `secret` is None when its environment variable is not set."""

    header: str
    secret: bytes | None = field(repr=False)
    algorithm: SignatureAlgorithm = "hmac-sha256"
    encoding: SignatureEncoding = "hex"
    prefix: str = ""
    secret_env: str | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """What `POST /webhook/{name}` makes of a body."""

    name: str
    messages: tuple[MessageMapping, ...]
    signature: Signature | None = None
