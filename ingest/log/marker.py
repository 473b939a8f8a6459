"""Markers: eight bytes per log file that no sender can know; frames begin where they stand.

A file's marker stands in each of its frames, and can be had again from the stream's secret and the file's number: so it
is known even when the beginning of the file is destroyed.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from ingest.log.frame import MARKER_BYTES

SECRET_NAME = "secret"
_SECRET_BYTES = 32


def make_marker(folder: Path, number: int) -> bytes:
    """The marker for a file that is begun in the stream's folder; the stream's first one makes its secret."""
    return _derive(_read_secret(folder) or _make_secret(folder), number)


def find_marker(folder: Path, number: int) -> bytes | None:
    """The marker that a file has by the stream's secret; None when the secret is lost."""
    secret = _read_secret(folder)
    return _derive(secret, number) if secret is not None else None


def _derive(secret: bytes, number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(8, "little"), key=secret, digest_size=MARKER_BYTES).digest()


def _read_secret(folder: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        secret = (folder / SECRET_NAME).read_bytes()
        return secret if len(secret) == _SECRET_BYTES else None
    return None


def _make_secret(folder: Path) -> bytes:
    # Not synced with its folder: beginning the file does that, before anything in it is acknowledged.
    secret = secrets.token_bytes(_SECRET_BYTES)
    beside = folder / f".{SECRET_NAME}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secret)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(folder / SECRET_NAME)
    return secret
