"""How an arrival is shown: whole, as a JSON object, or shortened to one line for people.

Both forms hold what the sender sent, so they go to whoever asked and never to a log.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from api.counts import count_text
from ingest.identity.rules import DEFAULT_RULES
from ingest.message import Identity, Message, Reject, message_id
from ingest.plan.judge import Violation
from ingest.record import Act
from ingest.tail import Arrival, Skipped

# Below it a line has no room for columns.
_WIDE_CELLS = 100
_NAME_CELLS = 24
Kind = Literal["event", "call", "reject", "act", "skipped", "heartbeat"]
_STYLES: dict[Kind, str] = {"event": "bold", "call": "magenta", "act": "blue"}


def as_object(shown: Arrival | Skipped) -> dict[str, Any]:
    """The whole of it, under the names of the public views; `kind` says what it is."""
    if isinstance(shown, Skipped):
        return {"kind": "skipped", "requests": shown.requests, "messages": shown.messages}
    kind: Kind = _kind_of(shown)
    head = {"kind": kind, "received_at": _moment(shown.received_at_us), "position": str(shown.position)}
    what = shown.what
    if isinstance(what, Act):
        return head | {"act": what.act, "operator": what.operator, "details": what.details}
    return head | (_reject(what) if isinstance(what, Reject) else _message(what, shown))


def to_json(shown: Arrival | Skipped) -> bytes:
    """`as_object` as one line of JSON."""
    return msgspec.json.encode(as_object(shown), enc_hook=str)


def to_text(shown: Arrival | Skipped, zone: tzinfo, width: int | None) -> Text:
    """One line: time, where from, what, who, account, properties; cut to `width` cells, or whole when it is None.

    A narrow line does without columns and milliseconds, so that the reason of a reject survives the cut.
    """
    if isinstance(shown, Skipped):
        skipped = f"{count_text(shown.requests, 'request')}, {count_text(shown.messages, 'message')}"
        return Text(f"{skipped} came too fast to be shown", style="yellow")
    is_narrow = width is not None and width < _WIDE_CELLS
    head, what = _head(shown, zone, is_narrow=is_narrow), shown.what
    if isinstance(what, Reject):
        text = Text(f"{head}{_rejected(what, _NAME_CELLS if width is not None else None)}", style="red")
    elif isinstance(what, Act):
        text = Text(f"{head}{_printable(what.act)}  {_values(what.details)}", style="blue")
    else:
        name = _printable(what.event_name or _call(what))
        name = _cut(name, _NAME_CELLS) if is_narrow else _column(name, 22)
        rest = f"  {_who(what)}  {_values(what.change.properties if what.change else what.properties)}"
        noted = "".join(f"  ! {_printable(each.detail)}" for each in shown.violations)
        text = Text.assemble((head, "dim"), (name, _STYLES[_kind_of(shown)]), (noted, "yellow"), rest.rstrip())
    if width is not None:
        text.truncate(width, overflow="ellipsis")
    return text


def _head(shown: Arrival, zone: tzinfo, *, is_narrow: bool) -> str:
    """When it arrived and where from."""
    moment, what = datetime.fromtimestamp(shown.received_at_us / 1_000_000, zone), shown.what
    source = "operator" if isinstance(what, Act) else what.protocol if isinstance(what, Reject) else _source(what)
    if is_narrow:
        return f"{moment:%H:%M:%S} {_cut(_printable(source), 8)} "
    return f"{moment:%H:%M:%S.%f}"[:-3] + f"  {_column(source, 16)}  "


def _kind_of(arrival: Arrival) -> Kind:
    if isinstance(arrival.what, Reject):
        return "reject"
    if isinstance(arrival.what, Act):
        return "act"
    return "call" if arrival.what.event_name is None else "event"


def _message(message: Message, arrival: Arrival) -> dict[str, Any]:
    change = message.change
    beside = "other_changes" if message.event_name is None else "other_properties"
    return {
        "call_id" if message.event_name is None else "event_id": str(message_id(message, arrival.position)),
        "protocol": message.protocol,
        "record_type": message.record_type,
        "event_name": message.event_name,
        "event_at": _moment(message.event_at_us),
        "original_event_at": _moment(message.original_event_at_us),
        "identities": {identity.key: identity.value for identity in message.identities},
        "distinct_id": message.distinct_id,
        "account_id": message.account_id,
        "source": message.source,
        "sdk": message.sdk,
        "sdk_version": message.sdk_version,
        "dedupe_key": message.dedupe_key,
        "properties": message.properties,
        "change": change
        and {"target": change.target, "operation": change.operation, "item": change.item, "set": change.properties},
        beside: arrival.set_aside,
        "violations": [_violation(each) for each in arrival.violations],
    }


def _violation(violation: Violation) -> dict[str, Any]:
    return {"property": violation.property, "reason": violation.reason, "detail": violation.detail}


def _reject(reject: Reject) -> dict[str, Any]:
    return {
        "protocol": reject.protocol,
        "record_type": reject.record_type,
        "event_name": reject.event_name,
        "reason": reject.reason,
        "detail": reject.detail,
        "original": reject.original.decode("utf-8", "replace"),
        "original_length": reject.original_length,
    }


def _rejected(reject: Reject, name_cells: int | None) -> str:
    name = _printable(reject.event_name or reject.record_type or "")
    name = name if name_cells is None else _cut(name, name_cells)
    original = _printable(" ".join(reject.original[:400].decode("utf-8", "replace").split()))
    return f"✗ {name + ' ' if name else ''}{reject.reason}: {_printable(reject.detail)}  {original}"


def _call(message: Message) -> str:
    return message.record_type if message.change is None else f"{message.record_type} ({message.change.target})"


def _source(message: Message) -> str:
    """The SDK, which mostly says the source as well; else the source; else the family."""
    return message.sdk or message.source or message.protocol


def _who(message: Message) -> str:
    main: Sequence[Identity] = DEFAULT_RULES.by_priority(message.identities)[:1]
    names = [_printable(identity.value) for identity in main]
    if message.account_id is not None:
        names.append(f"@{_printable(message.account_id)}")
    return " ".join(names)


def _values(properties: dict[str, Any]) -> str:
    """`name=value` pairs; the sender's own before the presets, whose names begin with a dollar."""
    names = sorted(properties, key=lambda name: name.startswith("$"))
    return _printable(" ".join(f"{name}={_value(properties[name])}" for name in names))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()


def _column(text: str, cells: int) -> str:
    """At least so many cells wide; a Chinese character takes two."""
    text = _printable(text)
    return text if cell_len(text) >= cells else set_cell_size(text, cells)


def _cut(text: str, cells: int) -> str:
    """At most so many cells wide."""
    return text if cell_len(text) <= cells else f"{set_cell_size(text, cells - 1)}…"


def _printable(text: str) -> str:
    """What a sender wrote, without what would drive the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _moment(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
