"""The open file: the one log file of a stream that is being written.

It knows how far its bytes are acknowledged (`end`); whatever was written behind that can be taken back, and sealing it
can be tried again after it failed.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from ingest.log.files import OPEN_SUFFIX, SEALED_SUFFIX, Opening, Seal, file_path, sync_folder
from ingest.log.frame import FrameKind, encode_frame
from ingest.log.marker import make_marker

# Syncs the data and the size of a file, not its times: those cost another journal write.
_sync_data = getattr(os, "fdatasync", os.fsync)


def is_same_file(path: Path, descriptor: int) -> bool:
    """Whether `path` leads to the file that is open as `descriptor`."""
    try:
        found, mine = os.stat(path), os.fstat(descriptor)  # noqa: PTH116  # once a batch: half the time of Path.stat
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)


class FileVanished(OSError):
    """The file is no longer where it was opened: its folder was moved, deleted or unmounted."""


class OpenFile:
    """Owns one `.open` file from its first byte to its seal. A file that could not be begun leaves nothing behind."""

    def __init__(self, folder: Path, stream: str, number: int, opened_at_us: int) -> None:
        self.number = number
        self.marker = make_marker(folder, number)
        self.end = 0
        self.record_count = 0
        self._folder = folder
        self._path = file_path(folder, number, OPEN_SUFFIX)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._is_renamed = False
        try:
            opening = Opening(stream, number, opened_at_us)
            frame = encode_frame(FrameKind.OPENING, msgspec.msgpack.encode(opening), self.marker)
            self.write(frame)
            os.fsync(self._descriptor)
            sync_folder(folder)
        except BaseException:
            self.close()
            with suppress(OSError):
                self._path.unlink()
            raise
        self.end = len(frame)

    def write(self, data: bytes) -> None:
        """Put `data` behind the acknowledged end; it counts only after `sync` and `acknowledge`."""
        view, at = memoryview(data), self.end
        while view:
            written = os.pwrite(self._descriptor, view, at)
            view, at = view[written:], at + written

    def sync(self) -> None:
        """Wait until what was written is on disk, and can be found there by its name."""
        _sync_data(self._descriptor)
        if not self.is_in_place():
            raise FileVanished(f"{self._path} is no longer where it was opened")

    def acknowledge(self, byte_count: int, record_count: int) -> None:
        """What was written and synced belongs to the file from now on."""
        self.end += byte_count
        self.record_count += record_count

    def take_back(self) -> None:
        """Cut off what was written but not acknowledged. Sealing does so again, in case the disk refuses this too."""
        if not self._is_renamed:  # else its seal would be cut off
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.end)

    def is_in_place(self) -> bool:
        """Whether the name still leads to this file: what is written to a vanished one would be lost."""
        return self._is_renamed or is_same_file(self._path, self._descriptor)

    def is_gone(self) -> bool:
        """Whether the folder is there, but without this file: nobody can bring it back by its name."""
        return self._folder.is_dir() and not self.is_in_place()

    def seal(self, last_received_at_us: int) -> None:
        """End the file for good and close it. May be called again after it failed."""
        if not self._is_renamed:
            if not self.is_in_place():
                raise FileVanished(f"{self._path} is no longer where it was opened")
            # After a failed sync a later one may succeed although pages were dropped: so the seal is written anew.
            os.ftruncate(self._descriptor, self.end)
            seal = Seal(self.record_count, last_received_at_us)
            self.write(encode_frame(FrameKind.SEAL, msgspec.msgpack.encode(seal), self.marker))
            os.fsync(self._descriptor)
            self._path.rename(self._path.with_suffix(SEALED_SUFFIX))
            self._is_renamed = True
        sync_folder(self._folder)
        self.close()

    def close(self) -> None:
        """Let go of the file as it is. Safe to call twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)
