"""Deleting a person: what would go, the act, and applying it to log and warehouse.

The act comes first and says all: whatever happens after it, the next start of a server, or of a command on the folder,
applies it.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from msgspec.structs import replace

from api.asking import running_server
from api.backlog import measure_backlog
from api.erasing import Swept, erase_from_log
from api.errors import ApiError
from api.rebuilding import Rebuilt, rebuild_warehouse
from api.settings import Settings
from ingest.acts import append_acts
from ingest.erasure.deletions import DeletePerson, deletion_act
from ingest.erasure.survey import OwnedPair, Survey, deletion_of, survey_log
from ingest.identity.history import read_rules_of_log
from ingest.log.files import list_files, list_streams
from ingest.message import Identity
from ingest.record import Act
from warehouse.decoder import DecoderProcess
from warehouse.forgetting import (
    PersonCounts,
    counts_of,
    linked_values,
    loaded_files,
    must_forget,
    pairs_of,
)
from warehouse.load import Loader
from warehouse.one_id.finding import find_person
from warehouse.rebuild import Progress, fresh_path, kept_path, remove_warehouse
from warehouse.warehouse import Warehouse

logger = logging.getLogger("onepath.forgetting")

Tell = Callable[[int], None]

# Compared before and after: nothing may be new in them. The other views follow from these.
_OF_PERSONS = ("events", "calls")


@dataclass(frozen=True)
class Preview:
    """What a deletion would erase of a person, and which of its values stay because others have them, too."""

    person_id: str
    counts: PersonCounts
    survey: Survey
    pairs: tuple[OwnedPair, ...] = field(repr=False)

    @property
    def shared_values(self) -> list[str]:
        """Values of the person that stay, because messages of others carry them, too."""
        return sorted({each.identity.value for each in self.pairs} - self.survey.own_values)

    @property
    def rejects(self) -> int:
        """Refused messages, requests without any and operators' acts that mention a value of this person alone."""
        return len(self.survey.mentions_of_own())

    @property
    def duplicates(self) -> int:
        """Messages in the log beside its events and calls: resends, and what a plan refused."""
        return max(self.survey.messages - self.counts.events - self.counts.calls, 0)


@dataclass(frozen=True)
class Deleted:
    """What became of a deletion."""

    person_id: str
    swept: Swept
    rebuilt: Rebuilt

    @property
    def changed_rows(self) -> int:
        """Events and calls of others that are not as they were before: none, as a rule."""
        comparisons = self.rebuilt.after_replay or self.rebuilt.comparisons or []
        return sum(each.only_new for each in comparisons)


def preview_deletion(settings: Settings, wanted: str, tell: Tell) -> Preview:
    """What would go, after everything was loaded. Raises `ApiError` while a server runs, `NoSuchPerson`."""
    _refuse_while_serving(settings)
    with closing(open_warehouse(settings)) as warehouse:
        _load_rest(settings, warehouse)
        with warehouse.snapshot(timeout_s=24 * 3600) as snapshot:
            person_id = find_person(snapshot, wanted, exactly=True)
            pairs, linked = pairs_of(snapshot, person_id), linked_values(snapshot, person_id)
            counts = counts_of(snapshot, person_id)
            _refuse_lost_files(settings, loaded_files(snapshot))
    owner_of = read_rules_of_log(settings.log_folder).owner_of
    survey = survey_log(settings.log_folder, pairs, linked, settings.decode, owner_of, tell)
    return Preview(person_id, counts, survey, tuple(pairs))


def delete_person(settings: Settings, preview: Preview, operator: str, tell: Tell, progress: Progress) -> Deleted:
    """Write the act, then apply it. Killed after the act, the rest is done by whoever opens the folder next."""
    _refuse_while_serving(settings)
    details = deletion_of(preview.person_id, preview.pairs, preview.survey.own_values, settings.project.project.salt)
    append_acts(settings.log_folder, [*retractions(preview.survey, operator), _act(preview, details, operator)])
    swept = erase_from_log(settings, tell)
    rebuilt = _rebuild(settings, progress)
    return Deleted(preview.person_id, swept, rebuilt)


def open_warehouse(settings: Settings) -> Warehouse:
    """Open the warehouse for its owner, who then holds nothing of whom was ever deleted, whatever was restored."""
    settings.data.mkdir(parents=True, exist_ok=True)
    warehouse = _open(settings)
    try:
        deletions = erase_from_log(settings).deletions
        with warehouse.snapshot() as snapshot:
            is_behind = bool(deletions) and must_forget(snapshot, deletions)
    except BaseException:
        warehouse.close()
        raise
    if not is_behind:
        return warehouse
    warehouse.close()
    logger.warning("the warehouse is older than a deletion; it is rebuilt from the log")
    _rebuild(settings, lambda _behind, _report: None)
    return _open(settings)


def _open(settings: Settings) -> Warehouse:
    return Warehouse(settings.warehouse_path, settings.project.project, settings.warehouse)


def _rebuild(settings: Settings, progress: Progress) -> Rebuilt:
    rebuilt = rebuild_warehouse(settings, progress, is_check=False, keep=False, send_again=True, views=_OF_PERSONS)
    for earlier in (kept_path(settings.warehouse_path), fresh_path(settings.warehouse_path)):
        remove_warehouse(earlier)
    return rebuilt


def _load_rest(settings: Settings, warehouse: Warehouse) -> None:
    """Load what arrived since: a person is known by all of it."""
    with warehouse.snapshot() as snapshot:
        backlog = measure_backlog(settings.log_folder, snapshot.marks())
    if backlog.record_count:
        with closing(DecoderProcess()) as decoder:
            Loader(warehouse, settings.log_folder, settings.decode, decode=decoder).load_all()


def _act(preview: Preview, details: DeletePerson, operator: str) -> Act:
    counts = {**preview.counts._asdict(), "duplicates": preview.duplicates, "rejects": preview.rejects}
    return deletion_act(operator, replace(details, erased=counts))


def retractions(survey: Survey, operator: str) -> list[Act]:
    """Acts that keep apart whom only the deleted person kept apart: without it a shared value would join them."""
    return [
        Act("retract_link", operator, {"left": _side(owner), "right": _side(shared)})
        for owner, shared in sorted(survey.crossings)
    ]


def _side(identity: Identity) -> dict[str, str]:
    return {"key": identity.key, "value": identity.value}


def _refuse_while_serving(settings: Settings) -> None:
    url = running_server(settings)
    if url is not None:
        raise ApiError(
            f"the server at {url} has {settings.data} open; stop it, delete the person, and start it again (the "
            "collector may go on receiving)"
        )


def _refuse_lost_files(settings: Settings, loaded: set[tuple[str, int]]) -> None:
    log = settings.log_folder
    there = {(stream, each.number) for stream in list_streams(log) for each in list_files(log / stream)}
    if lost := sorted(loaded - there):
        names = ", ".join(f"{stream}/{number}" for stream, number in lost[:5]) + (", ..." if len(lost) > 5 else "")
        raise ApiError(
            f"log files are gone whose messages the warehouse has ({names}), and a deletion rebuilds it from the log: "
            "restore them, or accept the loss with `onepath replay --all`, then delete"
        )
