"""The survey before a deletion: what the log holds of a person, read once, and nothing changed.

It tells which values are the person's own: those that no message of another person carries. Only these are looked for
in what no decoder could read.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.decode import decode
from ingest.erasure.deletions import DeletePerson, Deletion, Deletions, PairSpan, pair_digest, value_digest
from ingest.erasure.eraser import OwnerOf, around_body
from ingest.erasure.mentions import mentions, mentions_of
from ingest.log.erasing import FoundRecord, read_file
from ingest.log.files import LogFile, list_files, list_streams, size_of
from ingest.message import Identity
from ingest.record import Position, Record
from ingest.settings import DecodeSettings

_FOR_EVER_US = (1 << 63) - 1
_ALL_BYTES = 1 << 40


@dataclass(frozen=True)
class OwnedPair:
    """An identity of the person, and where in the log it was the person's (as in `PairSpan`)."""

    identity: Identity
    since: str | None
    until: str | None


@dataclass
class Survey:
    """What was found of these values. `mentions` are those that refused messages, bare requests and acts hold, by file.

    `crossings` are links to other persons that rest on a shared value: the other's identity and the shared one.
    """

    values: frozenset[str]
    messages: int = 0
    shared_values: set[str] = field(default_factory=set)
    crossings: set[tuple[Identity, Identity]] = field(default_factory=set)
    files_of_messages: set[tuple[str, int]] = field(default_factory=set)
    mentions: list[tuple[tuple[str, int], frozenset[str]]] = field(default_factory=list)

    @property
    def own_values(self) -> frozenset[str]:
        """Those that no message of another person carries."""
        return self.values - self.shared_values

    def mentions_of_own(self) -> list[tuple[str, int]]:
        """The files of what mentions a value that nobody else has, once for each mention."""
        return [file for file, values in self.mentions if values - self.shared_values]

    def files_to_rewrite(self) -> int:
        return len(self.files_of_messages | set(self.mentions_of_own()))


def survey_log(
    log: Path,
    pairs: Iterable[OwnedPair],
    linked_values: Iterable[str],
    settings: DecodeSettings,
    owner_of: OwnerOf,
    tell: Callable[[int], None] = lambda _byte_count: None,
) -> Survey:
    """Read the whole log once. `tell` is told how many bytes were read since the last time.

    `linked_values` are those of others that messages of the person may carry: own, too, when nobody else sends them.
    """
    surveyor = _Surveyor(list(pairs), frozenset(linked_values), settings, owner_of)
    for stream in list_streams(log):
        for log_file in list_files(log / stream):
            surveyor.read(log_file)
            tell(size_of(log_file))
    return surveyor.survey


def deletion_of(person_id: str, pairs: Iterable[OwnedPair], own_values: Iterable[str], salt: str) -> DeletePerson:
    """What the act says of a person: hashes alone."""
    key = salt.encode()
    spans = {PairSpan(pair_digest(key, each.identity), each.since, each.until) for each in pairs}
    return DeletePerson(
        person_id=person_id,
        pairs=tuple(sorted(spans, key=lambda span: (span.digest, span.since or ""))),
        values=tuple(sorted(value_digest(key, value) for value in own_values)),
    )


class _Surveyor:
    def __init__(
        self, pairs: list[OwnedPair], linked: frozenset[str], settings: DecodeSettings, owner_of: OwnerOf
    ) -> None:
        self._values = linked.union(each.identity.value for each in pairs)
        self.survey = Survey(self._values)
        # The same judge as a deletion's, so that it finds what the deletion will.
        self._owned = Deletions([Deletion(_FOR_EVER_US, deletion_of("", pairs, (), "survey"))], "survey")
        self._settings = replace(settings, max_original_bytes=_ALL_BYTES)
        self._owner_of = owner_of

    def read(self, log_file: LogFile) -> None:
        file = log_file.stream, log_file.number
        for found in read_file(log_file):
            if not isinstance(found, FoundRecord):
                self._note_mentions(file, mentions(found.data))
            elif found.record.act is not None:
                self._note_mentions(file, mentions_of(found.record.act.details))
            else:
                self._read_request(file, found.position, found.record)

    def _read_request(self, file: tuple[str, int], position: Position, record: Record) -> None:
        decoded = decode(record, self._settings)
        us = record.received_at_us
        for message in decoded.messages:
            owner = self._owner_of(message, us)
            if owner is not None and self._owned.owns(owner, us, position, message.index):
                self.survey.messages += 1
                self.survey.files_of_messages.add(file)
                continue
            for identity in message.identities:
                if identity.value in self._values:
                    self.survey.shared_values.add(identity.value)
                    is_owned = self._owned.owns(identity, us, position, message.index)
                    if is_owned and owner is not None and not message.is_unbind:
                        self.survey.crossings.add((owner, identity))
        for reject in decoded.rejects:
            self._note_mentions(file, mentions(reject.original))
        if not decoded.messages and record.request is not None:
            self._note_mentions(file, mentions(around_body(record.request)))
            if not decoded.rejects:
                self._note_mentions(file, mentions(record.request.body))

    def _note_mentions(self, file: tuple[str, int], texts: Iterable[str]) -> None:
        if found := self._values.intersection(texts):
            self.survey.mentions.append((file, found))
