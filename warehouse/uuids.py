"""Hashes as the UUIDs of columns. The decoder process needs them, and starts sooner without DuckDB."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def uuid_bytes(digests: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    """Hashes of 16 bytes as UUIDs of version 8 (RFC 9562), as `ingest.message.uuid_of` shapes one; 16 bytes a row."""
    raw = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x80
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    return raw


def uuids(digests: Iterable[bytes]) -> pa.Array:
    """The same as a column."""
    raw = uuid_bytes(digests)
    storage = pa.Array.from_buffers(pa.binary(16), len(raw), [None, pa.py_buffer(raw.tobytes())])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)
