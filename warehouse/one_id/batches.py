"""A batch of messages as the graph takes it, and what it made of them as tables."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.identity.history import RulesHistory
from ingest.identity.rules import IdentityRules
from ingest.message import Identity
from warehouse.one_id.graph import LINK_KINDS, LINK_OUTCOMES, REFUSALS, RELEASES, Messages
from warehouse.one_id.names import founder_digest, pair_digest
from warehouse.one_id.sightings import Sightings
from warehouse.uuids import uuids

Ints = npt.NDArray[np.int64]
_REFUSED = LINK_OUTCOMES.index("refused")


@dataclass(frozen=True)
class MessageRows:
    """Messages in canonical order, by row: when they arrived, their index in the request, record type and unbinding."""

    arrived_us: Ints
    index: Ints
    record_type: list[str]
    is_unbind: npt.NDArray[np.bool_]


def graph_messages(
    rows: MessageRows, sightings: Sightings, void: npt.NDArray[np.int8], history: RulesHistory
) -> tuple[Messages, list[IdentityRules]]:
    """All rows as the graph takes them, also those that carry no identity; and the versions of the rules."""
    versions = history.versions()
    version = np.searchsorted(history.starts, rows.arrived_us, side="right").astype(np.int64)
    counts = np.bincount(sightings.row, minlength=len(rows.arrived_us))
    messages = Messages(
        begins=np.r_[0, np.cumsum(counts)],
        arrived_us=rows.arrived_us,
        index=rows.index,
        rules=version,
        is_unbind=rows.is_unbind,
        may_link=_may_link(rows.record_type, version, versions),
        pair=sightings.pair,
        void=void.astype(np.int64),
    )
    return messages, versions


def _may_link(record_type: list[str], version: Ints, versions: list[IdentityRules]) -> npt.NDArray[np.bool_]:
    if all(rules.links_from == "every_message" for rules in versions):
        return np.ones(len(record_type), np.bool_)
    pairs = zip(version.tolist(), record_type, strict=True)
    return np.array([versions[number].may_link(kind) for number, kind in pairs], np.bool_)


def new_identity_rows(new: Ints, incarnation: Ints, pair_id: Ints, identities: list[Identity], salt: bytes) -> pa.Table:
    """New identities, each with its pair and the public id of the person that it founds."""
    named = [identities[place] for place in new[:, 1].tolist()]
    digests = [founder_digest(salt, one, number) for one, number in zip(named, incarnation.tolist(), strict=True)]
    return pa.table(
        {
            "identity_id": pa.array(new[:, 0], pa.uint32()),
            "pair_id": pa.array(pair_id[new[:, 1]], pa.uint32()),
            "identity_key": pa.array([each.key for each in named], pa.string()),
            "identity_value": pa.array([each.value for each in named], pa.string()),
            "incarnation": pa.array(incarnation, pa.uint32()),
            "own_person_id": uuids(digests),
            "pair_hash": uuids([pair_digest(salt, one) for one in named]),
        }
    )


def first_links(links: Ints) -> Ints:
    """Of the links of a run, the first of each pair of identities, and the first that was accepted after a refusal."""
    if not len(links):
        return links
    is_refused = links[:, 4] == _REFUSED
    name = (links[:, 0] << 33) | (links[:, 1] << 1) | is_refused
    _, first = np.unique(name, return_index=True)
    return links[np.sort(first)]


def link_rows(links: Ints, key_names: list[str]) -> pa.Table:
    """Links as rows: the two identities, the message's row, kind, outcome, and why and for which key it was refused."""
    names = np.array([*key_names, None], object)
    return pa.table(
        {
            "candidate": pa.array(np.arange(len(links)), pa.uint32()),
            "left_identity_id": pa.array(links[:, 0], pa.uint32()),
            "right_identity_id": pa.array(links[:, 1], pa.uint32()),
            "row": pa.array(links[:, 2], pa.uint32()),
            "link_kind": pa.array([LINK_KINDS[kind] for kind in links[:, 3].tolist()], pa.string()),
            "outcome": pa.array([LINK_OUTCOMES[outcome] for outcome in links[:, 4].tolist()], pa.string()),
            "reason": pa.array([REFUSALS[reason] for reason in links[:, 5].tolist()], pa.string()),
            "identity_key": pa.array(names[links[:, 6]], pa.string()),
            "is_refused": pa.array(links[:, 4] == _REFUSED),
        }
    )


def move_rows(moves: Ints) -> pa.Table:
    """Moves as rows; of several moves of an identity by one message, the last."""
    kept = last_of(moves[:, 0] << 32 | moves[:, 2])
    return pa.table(
        {
            "identity_id": pa.array(moves[kept, 0], pa.uint32()),
            "founder_id": pa.array(moves[kept, 1], pa.uint32()),
            "row": pa.array(moves[kept, 2], pa.uint32()),
        }
    )


def last_of(names: Ints) -> Ints:
    """The places of the last entry of each name, in order."""
    _, from_behind = np.unique(names[::-1], return_index=True)
    return np.sort(len(names) - 1 - from_behind)


def released_rows(released: Ints) -> pa.Table:
    """Identities that were freed, by which message, and why."""
    return pa.table(
        {
            "identity_id": pa.array(released[:, 0], pa.uint32()),
            "row": pa.array(released[:, 1], pa.uint32()),
            "cause": pa.array([RELEASES[cause] for cause in released[:, 2].tolist()], pa.string()),
        }
    )
