"""The eraser: what is left of a record when all that is about erased persons is taken from it.

A function of the deletions and the record alone; erasing what is left again changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from ingest.account_acts import ACCOUNT_ACTS, ADD_MEMBER, END_MEMBER
from ingest.decode import decode, recognise
from ingest.erasure.deletions import DELETE_PERSON, Deletions
from ingest.erasure.mentions import mentions, mentions_of
from ingest.erasure.remaining import keep_decoded
from ingest.erasure.repacking import repack
from ingest.errors import CannotErase, RejectReason
from ingest.identity.acts import VALUE_ACTS
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.message import Decoded, Identity, Message
from ingest.plan.plan import SET_PLAN
from ingest.plan.sifting import originals_of
from ingest.record import Erased, Position, Record, Request
from ingest.settings import DecodeSettings

OwnerOf = Callable[[Message, int], Identity | None]
"""The identity that a message belongs to."""

# Rejects of a body as a whole beside messages from it: their original holds those messages too.
_OF_WHOLE_BODIES: frozenset[RejectReason] = frozenset({"unreadable_body", "too_many_messages"})
# Acts that say nothing without the person whom they are about.
_OF_ONE_PERSON = frozenset({ADD_MEMBER, END_MEMBER, *VALUE_ACTS})
# Acts about the project, not about persons: what they say holds for everybody.
_OF_THE_PROJECT = frozenset({SET_PLAN, SET_IDENTITY_RULES, DELETE_PERSON, *ACCOUNT_ACTS}) - _OF_ONE_PERSON
_ALL_BYTES = 1 << 40


@dataclass
class Erasures:
    """What was found to be erased: messages and rejects, in how many requests; and operators' acts."""

    messages: int = 0
    rejects: int = 0
    requests: int = 0
    acts: int = 0


class Eraser:
    """Erases what `deletions` say from one record after the other; `erasures` counts it."""

    def __init__(self, deletions: Deletions, settings: DecodeSettings, owner_of: OwnerOf) -> None:
        self.erasures = Erasures()
        self._deletions = deletions
        self._settings = settings
        self._owner_of = owner_of
        # A name may stand anywhere in what was refused.
        self._whole = replace(settings, max_original_bytes=_ALL_BYTES)

    def rest_of(self, position: Position, record: Record) -> Record:
        """What is left of a record; the same object when nothing is to go. Raises `CannotErase`."""
        if record.received_at_us > self._deletions.last_us:
            return record
        if record.act is not None:
            return self._rest_of_act(record)
        if record.request is None and (record.erased is None or record.erased.kept is None):
            return record  # nothing was left before
        decoded = decode(record, self._whole)
        gone = self._find_gone(position, record, decoded)
        if gone is None:
            self.erasures.requests += 1
            return _emptied(record)
        if not gone:
            return record
        self.erasures.requests += 1
        self.erasures.messages += sum(each.index in gone for each in decoded.messages)
        self.erasures.rejects += sum(each.index in gone for each in decoded.rejects)
        return self._without(position, record, gone)

    def is_about(self, data: bytes) -> bool:
        """Whether bytes that hold no record mention a value that is to go."""
        return any(self._deletions.is_own_value(text, 0) for text in mentions(data))

    def _find_gone(self, position: Position, record: Record, decoded: Decoded) -> frozenset[int] | None:
        """The indexes to erase; None when the request is about an erased person though it holds no message."""
        us = record.received_at_us
        owners = ((each.index, self._owner_of(each, us)) for each in decoded.messages)
        gone = {
            index for index, owner in owners if owner is not None and self._deletions.owns(owner, us, position, index)
        }
        for reject in decoded.rejects:
            is_of_all = reject.reason in _OF_WHOLE_BODIES and bool(gone)
            if is_of_all or any(self._deletions.is_own_value(text, us) for text in mentions(reject.original)):
                gone.add(reject.index)
        if not decoded.messages and record.request is not None and self._is_about(record.request, decoded, us):
            return frozenset(each.index for each in decoded.rejects) or None
        return frozenset(gone)

    def _is_about(self, request: Request, decoded: Decoded, received_at_us: int) -> bool:
        """Whether a request without messages mentions an own value; what was refused in it is judged by itself."""
        parts = [around_body(request)] if decoded.rejects else [around_body(request), request.body]
        return any(self._deletions.is_own_value(text, received_at_us) for part in parts for text in mentions(part))

    def _without(self, position: Position, record: Record, gone: frozenset[int]) -> Record:
        earlier = record.erased.indexes if record.erased is not None else ()
        erased = Erased(tuple(sorted({*earlier, *gone})))
        wanted = _without_indexes(decode(record, self._settings), gone)
        if not (wanted.messages or wanted.rejects):
            return _emptied(record)
        for candidate in (self._repacked(record, gone, erased), self._kept(record, wanted, erased)):
            if candidate is not None and _is_equal(decode(candidate, self._settings), wanted):
                return candidate
        raise CannotErase(
            f"the request at {position} holds messages of several persons and cannot be taken apart; nothing of it was "
            "changed"
        )

    def _repacked(self, record: Record, gone: frozenset[int], erased: Erased) -> Record | None:
        if record.request is None:
            return None
        originals = originals_of(record, self._whole)
        items = [originals[index].original for index in sorted(originals.keys() - gone)]
        protocol = recognise(record.request.path)
        assert protocol is not None, "a request that decodes belongs to a family"
        request = repack(record.request, protocol, items, self._settings)
        if request is None:
            return None
        us = record.received_at_us
        headers = {
            name: value
            for name, value in request.headers.items()
            if not any(self._deletions.is_own_value(text, us) for text in mentions(value.encode("utf-8", "replace")))
        }
        return Record(us, msgspec.structs.replace(request, headers=headers), erased=erased)

    def _kept(self, record: Record, wanted: Decoded, erased: Erased) -> Record:
        kept = keep_decoded(Decoded(wanted.messages, wanted.rejects))
        return Record(record.received_at_us, erased=Erased(erased.indexes, kept))

    def _rest_of_act(self, record: Record) -> Record:
        act = record.act
        assert act is not None
        if act.act in _OF_THE_PROJECT:
            return record
        us = record.received_at_us
        if not any(self._deletions.is_own_value(text, us) for text in mentions_of(act.details)):
            return record
        self.erasures.acts += 1
        if act.act in _OF_ONE_PERSON:
            return _emptied(record)
        details = self._blanked(act.details, us)
        return msgspec.structs.replace(record, act=msgspec.structs.replace(act, details=details))

    def _blanked(self, value: object, received_at_us: int) -> object:
        """The value without the texts that are to go: an empty text stands for each, which is nobody's identity."""
        if isinstance(value, dict):
            return {name: self._blanked(each, received_at_us) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._blanked(each, received_at_us) for each in value]
        is_own = any(self._deletions.is_own_value(text, received_at_us) for text in mentions_of(value))
        return "" if is_own else value


def around_body(request: Request) -> bytes:
    """What a request says beside its body."""
    return "\n".join((request.path, request.query, *request.headers.values())).encode("utf-8", "replace")


def _emptied(record: Record) -> Record:
    return Record(record.received_at_us, erased=Erased())


def _without_indexes(decoded: Decoded, gone: frozenset[int]) -> Decoded:
    return Decoded(
        [each for each in decoded.messages if each.index not in gone],
        [each for each in decoded.rejects if each.index not in gone],
    )


def _is_equal(one: Decoded, other: Decoded) -> bool:
    return one.messages == other.messages and one.rejects == other.rejects
