"""The ledger of deletions: a copy of their acts outside of the log, so that a restored log gets back what it lost.

It holds what the acts hold: keyed hashes, person ids and counts. It belongs beside the backups, not into them.
"""

import os
from pathlib import Path

import msgspec

from ingest.acts import append_acts
from ingest.erasure.deletions import Deletion, deletion_act
from ingest.log.files import sync_folder

LEDGER_NAME = "forgotten.json"
_OPERATOR = "onepath"


def write_ledger(data: Path, deletions: list[Deletion]) -> None:
    """Keep all deletions that are known, those that stand in the ledger too."""
    known = {_name(each): each for each in [*read_ledger(data), *deletions]}
    if not known or list(known) == [_name(each) for each in read_ledger(data)]:
        return
    beside = data / f".{LEDGER_NAME}"
    with beside.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(list(known.values()))))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(data / LEDGER_NAME)
    sync_folder(data)


def read_ledger(data: Path) -> list[Deletion]:
    """The deletions in the ledger; none when there is no ledger. Raises `msgspec.DecodeError`, OSError."""
    try:
        return msgspec.json.decode((data / LEDGER_NAME).read_bytes(), type=list[Deletion])
    except FileNotFoundError:
        return []


def restore_acts(data: Path, log: Path, deletions: list[Deletion]) -> list[Deletion]:
    """Append to the log the deletions of the ledger that it lost; returns all there are."""
    found = {_name(each) for each in deletions}
    lost = [each for each in read_ledger(data) if _name(each) not in found]
    if lost:
        acts = [
            deletion_act(_OPERATOR, msgspec.structs.replace(details, until_us=until_us)) for until_us, details in lost
        ]
        append_acts(log, acts)
    return [*deletions, *lost]


def _name(deletion: Deletion) -> tuple[int, str]:
    return deletion.until_us, deletion.details.person_id
