"""What the tests of forgetting share: deletions without a warehouse, and a search through every byte."""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest.erasure.deletions import Deletion, Deletions
from ingest.erasure.eraser import Eraser
from ingest.erasure.survey import OwnedPair, deletion_of, survey_log
from ingest.identity.history import RulesHistory
from ingest.log.erasing import FoundRecord, read_file
from ingest.log.files import LogFile, list_files, list_streams
from ingest.message import Identity
from ingest.settings import DecodeSettings
from tests.stories import PROJECT

FOR_EVER_US = 1 << 62
OWNERS = RulesHistory().owner_of


def pair(key: str, value: str, since: str | None = None, until: str | None = None) -> OwnedPair:
    return OwnedPair(Identity(key, value), since, until)


def deletions_of(
    log: Path, *pairs: OwnedPair, until_us: int = FOR_EVER_US, settings: DecodeSettings | None = None
) -> list[Deletion]:
    """A deletion of the person with these pairs, as a survey of the log would have it."""
    survey = survey_log(log, pairs, (), settings or DecodeSettings(), OWNERS)
    return [Deletion(until_us, deletion_of("somebody", pairs, survey.own_values, PROJECT.salt))]


def eraser_of(deletions: Iterable[Deletion], settings: DecodeSettings | None = None) -> Eraser:
    return Eraser(Deletions(deletions, PROJECT.salt), settings or DecodeSettings(), OWNERS)


def found_in(folder: Path, values: Iterable[str]) -> dict[str, list[str]]:
    """Which of the values stand in which files below the folder: as they are, escaped, or in anything packed."""
    wanted = {value: _spellings(value) for value in values}
    found: dict[str, set[str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for data in _layers(path.read_bytes(), 3):
            for value, spellings in wanted.items():
                if any(spelling in data for spelling in spellings):
                    found.setdefault(value, set()).add(path.relative_to(folder).as_posix())
    # The reader's own view, too: bodies as they come out of the frames.
    for log_file in _log_files(folder):
        for each in read_file(log_file):
            texts = repr(each.record).encode() if isinstance(each, FoundRecord) else each.data
            body = each.record.request.body if isinstance(each, FoundRecord) and each.record.request else b""
            for data in [texts, *_layers(body, 3)]:
                for value, spellings in wanted.items():
                    if any(spelling in data for spelling in spellings):
                        found.setdefault(value, set()).add(f"records of {log_file.path.name}")
    return {value: sorted(places) for value, places in found.items()}


def _log_files(folder: Path) -> Iterator[LogFile]:
    for log in (folder, *folder.rglob("log")):
        for stream in list_streams(log):
            yield from list_files(log / stream)


def _spellings(value: str) -> set[bytes]:
    return {value.encode(), json.dumps(value)[1:-1].encode(), value.encode("utf-16-le")}


def _layers(data: bytes, depth: int) -> Iterator[bytes]:
    """The bytes, and what is packed in them at any place: gzip and zlib streams, base64 and percent-encoded runs."""
    yield data
    if not depth:
        return
    for magic in (b"\x1f\x8b\x08", b"\x78\x9c", b"\x78\xda", b"\x78\x01"):
        at = data.find(magic)
        while at >= 0:
            unpacked = _inflated(data[at:], 31 if magic[0] == 0x1F else 15)
            if unpacked:
                yield from _layers(unpacked, depth - 1)
            at = data.find(magic, at + 1)
    for run in re.findall(rb"[A-Za-z0-9+/=%_-]{16,}", data):
        plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), run)
        text = re.sub(rb"[^A-Za-z0-9+/]", b"", plain)
        for start in range(4):
            piece = text[start:]
            decoded = base64.b64decode(piece + b"=" * (-len(piece) % 4)) if len(piece) % 4 != 1 else b""
            if decoded[:2] == gzip.compress(b"")[:2]:
                yield from _layers(_inflated(decoded, 31), depth - 1)
            else:
                yield decoded


def _inflated(data: bytes, wbits: int) -> bytes:
    unpacker, pieces = zlib.decompressobj(wbits), list[bytes]()
    try:
        for at in range(0, len(data), 512):
            pieces.append(unpacker.decompress(data[at : at + 512]))
            if unpacker.eof:
                break
    except zlib.error:
        pass
    return b"".join(pieces)
