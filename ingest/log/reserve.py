"""The reserve: space kept beside the log for the hour when the disk is full.

It is given up piece by piece, so that whoever fills the disk does not get all of it at once, and taken again when
there is room. While it lasts nothing is refused.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

RESERVE_NAME = "reserve"
_PIECES = 16
_SHORT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_short_of_space(error: BaseException) -> bool:
    """Whether freeing space would help."""
    return isinstance(error, OSError) and error.errno in _SHORT_OF_SPACE


class Reserve:
    """A preallocated file of `size` bytes in a stream's folder; 0 keeps none."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self.held_bytes = 0
        self._path = folder / RESERVE_NAME
        self._piece = max(size // _PIECES, 4096)
        with suppress(OSError):  # none yet, or none to be had: `restore` tries again
            self.held_bytes = min(self._path.stat().st_size, size)
            self._resize(self.held_bytes)
        self.restore()

    @property
    def is_whole(self) -> bool:
        return self.held_bytes == self.size

    def give_up(self, needed_bytes: int) -> bool:
        """Free a piece of at least `needed_bytes`, or what is left. False when nothing is."""
        if not self.held_bytes:
            return False
        try:
            self._resize(max(self.held_bytes - max(self._piece, needed_bytes), 0))
        except OSError:
            return False
        return True

    def restore(self) -> None:
        """Take all of it again if the disk has room for that and a piece more; else leave it as it is."""
        missing = self.size - self.held_bytes
        if not missing:
            return
        with suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize >= missing + self._piece:
                self._extend()

    def _extend(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.posix_fallocate(descriptor, self.held_bytes, self.size - self.held_bytes)
            self.held_bytes = self.size
        except OSError:
            os.ftruncate(descriptor, self.held_bytes)
            raise
        finally:
            os.close(descriptor)

    def _resize(self, size: int) -> None:
        if size:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, size)
                os.fsync(descriptor)  # some file systems free blocks only with their journal
            finally:
                os.close(descriptor)
        else:
            self._path.unlink(missing_ok=True)
        self.held_bytes = size
