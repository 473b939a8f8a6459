"""Keeping forgotten who was deleted: in the log, whatever was restored of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from api.errors import ApiError
from api.settings import Settings
from ingest.erasure.deletions import Deletions, fingerprint, read_deletions
from ingest.erasure.eraser import Eraser, Erasures
from ingest.erasure.ledger import LEDGER_NAME, restore_acts, write_ledger
from ingest.erasure.sweeping import SweepReport, sweep
from ingest.identity.history import read_rules_of_log
from ingest.log.erasing import EraseStage

logger = logging.getLogger("onepath.forgetting")


@dataclass(frozen=True)
class Swept:
    """A log in which nothing is left of whom was deleted; `deletions` is the fingerprint of all of them, or empty."""

    deletions: str
    report: SweepReport
    erasures: Erasures


def erase_from_log(
    settings: Settings,
    tell: Callable[[int], None] = lambda _byte_count: None,
    observe: Callable[[EraseStage], None] = lambda _stage: None,
) -> Swept:
    """Apply every deletion that was ever made to what is not swept for it yet; cheap where there is nothing to do."""
    log = settings.log_folder
    try:
        deletions = restore_acts(settings.data, log, read_deletions(log))
        write_ledger(settings.data, deletions)
    except msgspec.DecodeError as error:
        path = settings.data / LEDGER_NAME
        raise ApiError(f"{path} cannot be read: {error}; restore it, or move it away if the log is whole") from error
    owner_of = read_rules_of_log(log).owner_of
    eraser = Eraser(Deletions(deletions, settings.project.project.salt), settings.decode, owner_of)
    report = sweep(log, deletions, eraser, tell, observe)
    if report.rewritten or report.removed:
        logger.info("erased deleted persons from %d log files", report.rewritten)
    return Swept(fingerprint(deletions), report, eraser.erasures)
