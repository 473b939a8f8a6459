"""What a component is after it was folded anew, as rows for the tables: nothing is written here."""

import numpy as np
import pyarrow as pa

from warehouse.one_id.arrays import StoredIdentities
from warehouse.one_id.batches import Ints, first_links, link_rows, move_rows
from warehouse.one_id.components import FoldedComponent
from warehouse.one_id.graph import RELEASES
from warehouse.one_id.names import founder_digest, pair_digest
from warehouse.uuids import uuids


class FoldedRows:
    """The rows of a folded component, with the identity ids of the warehouse; new ones count from `next_id` on."""

    def __init__(self, folded: FoldedComponent, salt: bytes, next_id: int) -> None:
        self.stored = folded.component.stored
        self.messages = folded.component.messages
        self._salt = salt
        self._of = folded
        self._incarnation = folded.graph.incarnations(folded.folded.new[:, 0])
        self.identity_id = self._names(next_id)

    def _names(self, next_id: int) -> Ints:
        """The stored identity id of each local one; a new number where there is none."""
        columns = (self.stored[name].to_pylist() for name in ("pair_id", "incarnation", "identity_id"))
        known = {(pair_id, number): identity_id for pair_id, number, identity_id in zip(*columns, strict=True)}
        next_id = max([next_id, *(identity_id + 1 for identity_id in known.values())])
        named = np.empty(len(self._incarnation), np.int64)
        pair_ids = self._of.component.pair_ids[self._of.folded.new[:, 1]]
        for local, name in enumerate(zip(pair_ids.tolist(), self._incarnation.tolist(), strict=True)):
            if name not in known:
                known[name], next_id = next_id, next_id + 1
            named[local] = known[name]
        return named

    def identities(self) -> pa.Table:
        """The identities as they are now, a row each."""
        new, component = self._of.folded.new, self._of.component
        sightings, seen_by = self._of.sightings, self._of.folded.identity_id
        nth, count = sightings.nth(), len(self.identity_id)
        moments = self.messages["message_at"].cast(pa.int64()).to_numpy()[sightings.row]
        first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
        np.minimum.at(first, seen_by, moments)
        np.maximum.at(last, seen_by, moments)
        orders = self.messages["log_order"].to_pylist()
        named = [component.identities[place] for place in new[:, 1].tolist()]
        own = [founder_digest(self._salt, one, n) for one, n in zip(named, self._incarnation.tolist(), strict=True)]
        founders = self._of.founders()
        freed = {int(local): (orders[row], RELEASES[cause]) for local, row, cause in self._of.folded.released.tolist()}
        return pa.table(
            {
                "identity_id": pa.array(self.identity_id, pa.uint32()),
                "pair_id": pa.array(component.pair_ids[new[:, 1]], pa.uint32()),
                "identity_key": pa.array([each.key for each in named], pa.string()),
                "identity_value": pa.array([each.value for each in named], pa.string()),
                "incarnation": pa.array(self._incarnation, pa.uint32()),
                "unbound_order": pa.array([freed.get(n, (None,))[0] for n in range(count)], pa.string()),
                "unbound_because": pa.array([freed.get(n, (None, None))[1] for n in range(count)], pa.string()),
                "first_seen_at": pa.array(first).cast(pa.timestamp("us")),
                "last_seen_at": pa.array(last).cast(pa.timestamp("us")),
                "log_order": pa.array([f"{orders[sightings.row[at]]}/{nth[at]:06d}" for at in new[:, 2].tolist()]),
                "founder_id": pa.array(self.identity_id[founders], pa.uint32()),
                "own_person_id": uuids(own),
                "pair_hash": uuids([pair_digest(self._salt, one) for one in named]),
                "person_id": uuids([own[founder] for founder in founders.tolist()]),
            }
        )

    def stored_identities(self) -> StoredIdentities:
        """The identities as the graph takes them; their keys are numbered by `key_names`."""
        pair_id = self._of.component.pair_ids[self._of.folded.new[:, 1]]
        return self._of.graph.renumbered(self.identity_id, pair_id)

    def key_names(self) -> list[str]:
        """The keys by number."""
        return self._of.graph.keys.names()

    def links(self) -> pa.Table:
        """The links that its messages tried; `row` counts its messages."""
        links = first_links(self._of.folded.links).copy()
        ends = self.identity_id[links[:, :2]]
        links[:, 0], links[:, 1] = ends.min(axis=1, initial=1 << 40), ends.max(axis=1, initial=-1)
        return link_rows(links, self.key_names())

    def moves(self) -> pa.Table:
        """Which identities came to another person, by which message."""
        moves = self._of.folded.moves.copy()
        moves[:, :2] = self.identity_id[moves[:, :2]]
        return move_rows(moves)

    def moved_messages(self) -> pa.Table:
        """The messages that are of another incarnation than is stored: log_order and identity_id."""
        now = np.empty(self.messages.num_rows, np.int64)
        is_owner = self._of.sightings.nth() == 0
        now[self._of.sightings.row[is_owner]] = self.identity_id[self._of.folded.identity_id[is_owner]]
        is_moved = now != self.messages["identity_id"].to_numpy()
        return pa.table(
            {
                "log_order": self.messages["log_order"].filter(pa.array(is_moved)),
                "identity_id": pa.array(now[is_moved], pa.uint32()),
            }
        )
