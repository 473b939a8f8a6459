"""Persons on disk, kept equal to what the ledger of links says.

The graph in memory is a cache of the ledger: links that come in canonical order are applied to it; anything else (a
late stream, a retraction, a start) folds the whole ledger anew.
"""

from collections import deque
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.message import Identity
from warehouse.frames import registered, table_of
from warehouse.identity import IdentityGraph, Link, LinkOutcome, founder_digest
from warehouse.interning import Interned, NewIdentity
from warehouse.message_columns import uuids
from warehouse.statements import read_statement

_Column = npt.NDArray[np.int64]

_CANDIDATES = {"left_identity_id": pa.uint32(), "right_identity_id": pa.uint32()}
_FOUNDERS = {"identity_id": pa.uint32(), "founder_id": pa.uint32()}
_OUTCOMES = {"left_identity_id": pa.uint32(), "right_identity_id": pa.uint32(), "outcome": pa.string()}


class BatchLink(NamedTuple):
    """A pair of identities that a message has linked; `row` is that message.

    `kind` is `message`, or `same_value` when one value was seen as a device's id and as a login's.
    """

    left: int
    right: int
    kind: str
    row: int


class AppliedLink(NamedTuple):
    """A new link and what became of it."""

    link: BatchLink
    outcome: LinkOutcome


class Identities:
    """The persons of one warehouse. Called inside the writer's transaction; its owner restores it after a failure."""

    def __init__(self, salt: str) -> None:
        self._salt = salt.encode()
        self._graph = IdentityGraph()

    def restore(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Fold the ledger into the graph; the tables are not touched."""
        self._graph = self._fold(connection)[0]

    def rows_of(self, new: list[NewIdentity]) -> pa.Table:
        """New identities as rows, each with the public id of the person that it founds."""
        digests = [founder_digest(self._salt, each.identity, each.incarnation) for each in new]
        return pa.table(
            {
                "identity_id": pa.array([each.identity_id for each in new], pa.uint32()),
                "identity_key": pa.array([each.identity.key for each in new], pa.string()),
                "identity_value": pa.array([each.identity.value for each in new], pa.string()),
                "incarnation": pa.array([each.incarnation for each in new], pa.uint32()),
                "person_id": uuids(digests),
            }
        )

    def apply(
        self, interned: Interned, links: list[BatchLink], orders: list[str]
    ) -> tuple[list[AppliedLink], set[int]]:
        """Add identities, links and unbinds in canonical order; `orders` is the log order by row.

        Returns the links with their outcomes, and the identities that changed persons.
        """
        graph = self._graph
        for each in interned.new:
            graph.add(each.identity_id, each.identity, f"{orders[each.row]}/{each.place:06d}")
        applied, moved, unbound = list[AppliedLink](), set[int](), deque(interned.unbound)
        for link in sorted(links, key=self._canonical_order):
            while unbound and unbound[0][1] < link.row:
                graph.release(unbound.popleft()[0])
            outcome, changed = graph.apply(Link(link.left, link.right, orders[link.row]))
            applied.append(AppliedLink(link, outcome))
            moved.update(changed)
        for identity_id, _ in unbound:
            graph.release(identity_id)
        return applied, moved

    def _canonical_order(self, link: BatchLink) -> tuple[int, bool, list[str]]:
        # An implied link stands before the explicit ones of the same message; dense ids say nothing about order.
        return link.row, link.kind == "message", sorted(self._graph.first_order[each] for each in link[:2])

    def store_founders(self, connection: duckdb.DuckDBPyConnection, moved: set[int]) -> None:
        """Write the persons of identities that changed theirs."""
        rows = [(identity_id, self._graph.founder_of[identity_id]) for identity_id in sorted(moved)]
        if rows:
            with registered(connection, "founders", table_of(rows, _FOUNDERS)):
                connection.execute(read_statement("load/set_founders"))

    def rebuild(self, connection: duckdb.DuckDBPyConnection) -> set[int]:
        """Fold the whole ledger anew and write what differs.

        Returns the identities that changed persons, with the founders they left and came to.
        """
        self._graph, outcomes = self._fold(connection)
        with registered(connection, "outcomes", table_of(outcomes, _OUTCOMES)):
            connection.execute(read_statement("load/set_outcomes"))
        stored = connection.execute("select identity_id, founder_id from store.identities").fetchall()
        moved = {identity_id for identity_id, founder in stored if self._graph.founder_of[identity_id] != founder}
        self.store_founders(connection, moved)
        left = {founder for identity_id, founder in stored if identity_id in moved}
        return moved | left | {self._graph.founder_of[identity_id] for identity_id in moved}

    def _fold(self, connection: duckdb.DuckDBPyConnection) -> tuple[IdentityGraph, list[tuple[int, int, str]]]:
        graph, outcomes = IdentityGraph(), list[tuple[int, int, str]]()
        for identity_id, key, value, order in connection.execute(read_statement("load/all_identities")).fetchall():
            graph.add(identity_id, Identity(key, value), order)
        unbinds = deque(connection.execute(read_statement("load/all_unbinds")).fetchall())
        for left, right, order, is_retracted in connection.execute(read_statement("load/all_links")).fetchall():
            while unbinds and unbinds[0][1] < order:
                graph.release(unbinds.popleft()[0])
            outcome: LinkOutcome = "retracted"
            if not is_retracted:
                outcome, _ = graph.apply(Link(left, right, order))
            outcomes.append((left, right, outcome))
        for identity_id, _ in unbinds:
            graph.release(identity_id)
        return graph, outcomes


def batch_links(interned: Interned, unbind_rows: list[int]) -> pa.Table:
    """Pairs of identities that this batch links, each with its first message here: the columns of `BatchLink`."""
    implied = [(min(new_id, twin_id), max(new_id, twin_id), row) for new_id, twin_id, row in interned.twins]
    left, right, row = _message_links(interned, unbind_rows)
    left, right, row = (
        np.concatenate([np.array([each[place] for each in implied], dtype=np.int64), column])
        for place, column in enumerate((left, right, row))
    )
    # The first message counts; in one message the implied link, which stands earlier here.
    by_row = np.argsort(row, kind="stable")
    _, first = np.unique(left[by_row] << 32 | right[by_row], return_index=True)
    chosen = np.sort(by_row[first])
    return pa.table(
        {
            "left_identity_id": pa.array(left[chosen], pa.uint32()),
            "right_identity_id": pa.array(right[chosen], pa.uint32()),
            "link_kind": pa.array(np.where(chosen < len(implied), "same_value", "message"), pa.string()),
            "row": pa.array(row[chosen], pa.uint32()),
        }
    )


def _message_links(interned: Interned, unbind_rows: list[int]) -> tuple[_Column, _Column, _Column]:
    """The first identity of each message with each of its others: left, right and row."""
    others = np.flatnonzero((interned.place > 0) & ~np.isin(interned.row, unbind_rows))
    one, other = interned.identity_id[others - interned.place[others]], interned.identity_id[others]
    return np.minimum(one, other), np.maximum(one, other), interned.row[others]


def unseen_links(connection: duckdb.DuckDBPyConnection, links: pa.Table) -> list[BatchLink]:
    """Those of `links` that the ledger does not hold yet."""
    with registered(connection, "candidates", links):
        unseen = connection.execute(read_statement("load/unseen_links")).fetchall()
    return [BatchLink(*each) for each in unseen]


def has_retracted(connection: duckdb.DuckDBPyConnection, links: list[BatchLink]) -> bool:
    """Whether an operator has taken one of `links` back before it came. Their identities must be written already."""
    with registered(connection, "candidates", table_of([link[:2] for link in links], _CANDIDATES)):
        return bool(connection.execute(read_statement("load/retracted_links")).fetchall())
