"""Sifting: what of a decoded record a tracking plan keeps, refuses or sets aside.

Pure, and nothing disappears: a refused message becomes a reject with its original, an undeclared value is handed on
beside its message, and every other violation is handed on to be counted.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from ingest.decode import decode
from ingest.message import Decoded, Message, Reject
from ingest.plan.judge import Judge, Verdict, Violation
from ingest.protocols.reading import short_detail
from ingest.record import Record
from ingest.settings import DecodeSettings


@dataclass
class Sifted:
    """A record under a plan; `set_aside` and `violations` are by the index of their message."""

    decoded: Decoded
    set_aside: dict[int, dict[str, Any]] = field(default_factory=dict)
    violations: list[tuple[int, Violation]] = field(default_factory=list)


def sift(judge: Judge, record: Record, decoded: Decoded, settings: DecodeSettings) -> Sifted:
    """Apply the plan to what a record decoded to."""
    judge_message = judge.judge
    verdicts = {message.index: found for message in decoded.messages if (found := judge_message(message)) is not None}
    if not verdicts:
        return Sifted(decoded)
    sifted = Sifted(Decoded([], list(decoded.rejects)))
    originals: dict[int, Reject] | None = None
    for message in decoded.messages:
        verdict = verdicts.get(message.index)
        if verdict is None:
            sifted.decoded.messages.append(message)
        elif verdict.refusal is None:
            _keep(sifted, message, verdict)
        else:
            originals = originals or originals_of(record, settings)
            sifted.decoded.rejects.append(_reject(message, verdict.refusal, originals))
    return sifted


def _keep(sifted: Sifted, message: Message, verdict: Verdict) -> None:
    sifted.violations += [(message.index, violation) for violation in verdict.violations]
    if verdict.set_aside:
        sent = message.properties if message.change is None else message.change.properties
        sifted.set_aside[message.index] = {name: sent[name] for name in sent if name in verdict.set_aside}
        kept = {name: value for name, value in sent.items() if name not in verdict.set_aside}
        if message.change is None:
            message = msgspec.structs.replace(message, properties=kept)
        else:
            change = msgspec.structs.replace(message.change, properties=kept)
            message = msgspec.structs.replace(message, change=change)
    sifted.decoded.messages.append(message)


def _reject(message: Message, refusal: tuple[Any, str], originals: dict[int, Reject]) -> Reject:
    reason, detail = refusal
    said = {"record_type": message.record_type, "event_name": message.event_name}
    return msgspec.structs.replace(originals[message.index], reason=reason, detail=short_detail(detail), **said)


def originals_of(record: Record, settings: DecodeSettings) -> dict[int, Reject]:
    """Every message of a record as a reject with its bytes, by index; reason and detail are the caller's to give."""
    if record.erased is not None and record.erased.kept is not None:
        return {message.index: _without_bytes(message) for message in decode(record, settings).messages}
    # Messages do not carry their bytes along, as hardly any needs them, and each family takes its requests apart in its
    # own way. Under an age that nothing has, all of them come back as they were sent.
    too_strict = replace(settings, event_max_age_days=-1_000_000)
    return {reject.index: reject for reject in decode(record, too_strict).rejects}


def _without_bytes(message: Message) -> Reject:
    """A message of which only what it decoded to was kept."""
    known = msgspec.json.encode(message)
    return Reject(message.index, message.protocol, None, None, "unreadable_message", "", known, len(known))
