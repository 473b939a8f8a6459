"""Refusing messages with identity keys that nobody declared, where a project wants that."""

import msgspec

from ingest.identity.rules import IdentityRules
from ingest.message import Decoded
from ingest.plan.sifting import originals_of
from ingest.record import Record
from ingest.settings import DecodeSettings


def refuse_unknown_keys(rules: IdentityRules, record: Record, decoded: Decoded, settings: DecodeSettings) -> Decoded:
    """What the rules leave of a record; a refused message becomes a reject with its original."""
    if rules.unknown_keys == "learn":
        return decoded
    unknown = {message.index: key for message in decoded.messages if (key := rules.unknown_key(message.identities))}
    if not unknown:
        return decoded
    originals = originals_of(record, settings)
    refused = [
        msgspec.structs.replace(
            originals[message.index],
            reason="unknown_identity_key",
            detail=f"identity key {unknown[message.index]!r} is not declared; declare it in the identity rules",
            record_type=message.record_type,
            event_name=message.event_name,
        )
        for message in decoded.messages
        if message.index in unknown
    ]
    kept = [message for message in decoded.messages if message.index not in unknown]
    return Decoded(kept, [*decoded.rejects, *refused], decoded.plain_bytes)
