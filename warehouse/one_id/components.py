"""Components: the pairs that may hang together with some, and a fold of their messages alone.

Links of any outcome are followed, refused ones too, so nothing outside of a component can change a person inside.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.identity.history import RulesHistory
from ingest.message import Identity
from warehouse.frames import registered
from warehouse.one_id.acts import Voids
from warehouse.one_id.batches import Ints, MessageRows, graph_messages
from warehouse.one_id.graph import Folded, IdentityGraph, Messages, Pairs
from warehouse.one_id.names import pair_digest, twin_of
from warehouse.one_id.pairs import find_pairs
from warehouse.one_id.sightings import Sightings
from warehouse.statements import read_statement


@dataclass(frozen=True)
class Component:
    """Pairs that may hang together: their stored identities, and what their messages say.

    `pair_ids` by place; `identities` by place, the pairs' names.
    """

    stored: pa.Table
    messages: pa.Table
    pair_ids: Ints
    identities: list[Identity]


@dataclass(frozen=True)
class FoldedComponent:
    """A component folded in a graph of its own, with local identity ids; `sightings` are by row of its messages."""

    component: Component
    graph: IdentityGraph
    sightings: Sightings
    folded: Folded

    def founders(self) -> Ints:
        """By local identity, the founder of its person."""
        return self.graph.founders(np.arange(self.graph.identity_count))


def find_component(
    connection: duckdb.DuckDBPyConnection, salt: bytes, pair_ids: Iterable[int], known_order: str | None = None
) -> Component:
    """All that links connect with these pairs, with its messages, or those that came before a place in the log."""
    found, names = set(pair_ids), dict[int, Identity]()
    while True:
        with registered(connection, "component", _pair_table(found)):
            reached = connection.sql(read_statement("one_id/widen_component")).to_arrow_table()
            stored = connection.sql(read_statement("one_id/component_identities")).to_arrow_table()
        names = _names(stored)
        more = set(reached["pair_id"].to_pylist()) | _twins(connection, salt, names)
        if more <= found:
            break
        found |= more
    with registered(connection, "component", _pair_table(names)):
        messages = connection.sql(read_statement("one_id/component_messages")).to_arrow_table()
    if known_order is not None:
        messages = messages.filter(pc.less(messages["log_order"], known_order))
    ordered = sorted(names)
    return Component(stored, messages, np.array(ordered, np.int64), [names[pair_id] for pair_id in ordered])


def _pair_table(pair_ids: Iterable[int]) -> pa.Table:
    return pa.table({"pair_id": pa.array(sorted(pair_ids), pa.uint32())})


def _names(stored: pa.Table) -> dict[int, Identity]:
    columns = (stored[name].to_pylist() for name in ("pair_id", "identity_key", "identity_value"))
    return {pair_id: Identity(key, value) for pair_id, key, value in zip(*columns, strict=True)}


def _twins(connection: duckdb.DuckDBPyConnection, salt: bytes, names: dict[int, Identity]) -> set[int]:
    twins = [twin for identity in names.values() if (twin := twin_of(identity)) is not None]
    return set(find_pairs(connection, salt, twins))


def fold_component(
    component: Component, salt: bytes, voids: Voids, history: RulesHistory, happened_at: datetime | None = None
) -> FoldedComponent:
    """Fold the messages of a component from the beginning; those from `happened_at` on neither link nor unbind."""
    graph, table = IdentityGraph(), component.messages
    sightings = _sightings(component)
    rows = MessageRows(
        arrived_us=table["received_at_us"].to_numpy(),
        index=table["message_index"].to_numpy().astype(np.int64),
        record_type=table["record_type"].to_pylist(),
        is_unbind=table["is_unbind"].to_numpy(),
    )
    messages, versions = graph_messages(rows, sightings, voids.codes(sightings, component.identities), history)
    if happened_at is not None:
        messages = _until(messages, table, happened_at)
    folded = graph.fold(versions, messages, _pair_columns(component, salt, graph, voids))
    return FoldedComponent(component, graph, sightings, folded)


def _until(messages: Messages, table: pa.Table, happened_at: datetime) -> Messages:
    moment = pa.scalar(happened_at.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
    has_happened = pc.less(table["message_at"], moment).to_numpy(zero_copy_only=False)
    return replace(messages, may_link=messages.may_link & has_happened, is_unbind=messages.is_unbind & has_happened)


def _sightings(component: Component) -> Sightings:
    """The pairs of each message by their place in the component, the owner first."""
    table = component.messages
    lists = table["other_pair_ids"].combine_chunks()
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    others = pc.list_flatten(lists).to_numpy().astype(np.int64)
    row = np.r_[np.arange(table.num_rows), np.repeat(np.arange(table.num_rows), counts)]
    pair_id = np.r_[table["pair_id"].to_numpy().astype(np.int64), others]
    order = np.argsort(row, kind="stable")
    return Sightings(row[order], np.searchsorted(component.pair_ids, pair_id[order]))


def _pair_columns(component: Component, salt: bytes, graph: IdentityGraph, voids: Voids) -> Pairs:
    place_of = {identity: place for place, identity in enumerate(component.identities)}
    twins = [twin_of(identity) for identity in component.identities]
    digests = b"".join(pair_digest(salt, identity)[:4] for identity in component.identities)
    codes = [0 if two is None else voids.code(one, two) for one, two in zip(component.identities, twins, strict=True)]
    return Pairs(
        pair_id=np.full(len(twins), -1, np.int64),
        key=np.array([graph.keys.number(identity.key) for identity in component.identities], np.int64),
        digest=np.frombuffer(digests, dtype=">u4").astype(np.int64),
        twin=np.array([-1 if twin is None else place_of.get(twin, -1) for twin in twins], np.int64),
        twin_void=np.array(codes, np.int64),
    )
