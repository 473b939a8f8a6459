"""Other worlds: what was known at a moment, how the world was at a moment, and what an act would change.

A world is a set of temporary tables and views on one reader's connection, which stand before the public views of the
same names: every question and every statement can be asked in it, and nothing is written.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from warehouse.frames import registered, table_of
from warehouse.merged_accounts import MERGED, read_merged
from warehouse.one_id.acts import read_rules_history, read_voids, voids_after
from warehouse.one_id.components import find_component, fold_component
from warehouse.one_id.folded_rows import FoldedRows
from warehouse.one_id.pairs import pairs_of_acts
from warehouse.project import Project
from warehouse.statements import list_attribution_views, list_views, read_statement, view_name, with_literals

_ALWAYS = "~"  # sorts behind every place in the log
_NEVER_ENDS = "infinity"
_IDENTITIES = ("identities", "known_identities", "identity_persons", "unbound_identities")
_STORED = (*_IDENTITIES, "events", "calls", "links", "identity_moves", "acts", "account_evidence")
_ATTRIBUTED = ("attributed_events", "past_persons")
_FOLDED = ("memberships", "account_spans", "merged_accounts")
_ACTS = {
    "act": pa.string(),
    "operator": pa.string(),
    "details": pa.string(),
    "received_at": pa.timestamp("us"),
    "log_order": pa.string(),
}


@dataclass(frozen=True)
class World:
    """Which world is asked. `known_at`: only what arrived before it. `happened_at`: only what happened before it, told
    with all that is known. Both are aware instants. `also`: operators' acts (name, details) as if they had been done.
    """

    known_at: datetime | None = None
    happened_at: datetime | None = None
    also: tuple[tuple[str, dict[str, Any]], ...] = ()

    def parameters(self) -> dict[str, str]:
        """The two moments as the statements of `sql/worlds` take them."""
        known_us = None if self.known_at is None else round(self.known_at.timestamp() * 1_000_000)
        happened = None if self.happened_at is None else self.happened_at.astimezone(UTC).replace(tzinfo=None)
        return {
            "known_order": _ALWAYS if known_us is None else f"{known_us:017d}",
            "happened_at": _NEVER_ENDS if happened is None else happened.isoformat(sep=" "),
        }


@contextmanager
def imagined(cursor: duckdb.DuckDBPyConnection, project: Project, world: World) -> Iterator[None]:
    """While the block runs, every public view on this connection shows the world."""
    builder = _Builder(cursor, project, world)
    try:
        builder.build()
        yield
    finally:
        builder.remove()


class _Builder:
    def __init__(self, cursor: duckdb.DuckDBPyConnection, project: Project, world: World) -> None:
        self._cursor = cursor
        self._project = project
        self._salt = project.salt.encode()
        self._world = world
        self._parameters = world.parameters()
        self._history = read_rules_history(cursor)
        self._made: list[tuple[str, str]] = []

    def build(self) -> None:
        rows = self._fold()
        self._keep_stored()
        self._table("world_component", pa.table({"pair_id": rows.stored["pair_id"]}))
        self._table("world_old", pa.table({"identity_id": rows.stored["identity_id"]}))
        self._table("world_folded_identities", rows.identities())
        self._table("world_moved", rows.moved_messages())
        self._table("world_folded_links", self._of_messages(rows, "links", rows.links()))
        self._table("world_folded_moves", self._of_messages(rows, "moves", rows.moves()))
        self._table("world_also", self._also())
        for name in ("acts", "persons", "events", "calls", "links", "identity_moves"):
            self._view(f"world_{name}", self._statement(f"worlds/{name}"))
        self._table("world_seen", self._cursor.sql(read_statement("worlds/seen")).to_arrow_table())
        self._view("world_identities", read_statement("worlds/identities"))
        self._view("world_known_identities", "select * from world_identities")
        self._view("world_identity_persons", "select * from world_identities")
        self._view("world_unbound_identities", "select * from world_identities where unbound_order is not null")
        self._accounts(rows)
        for name in list_attribution_views(self._history.latest().history):
            self._view(f"world_{view_name(name)}", self._in_world(read_statement(name)))
        for name in list_views():
            select = re.sub(r"(?s)^.*?create or replace view \w+ as\n", "", read_statement(name))
            select = with_literals(select, {"timezone": self._project.timezone})
            self._view(view_name(name), self._in_world(select))

    def _keep_stored(self) -> None:
        """What is shown without this world, for comparisons: `stored_events` and the like."""
        [(catalog,)] = self._cursor.execute("select current_database()").fetchall()
        for name in ("events", "identities", "memberships"):
            stored = exp.table_(name, db="main", catalog=catalog, quoted=True).sql(dialect="duckdb")
            self._view(f"stored_{name}", f"select * from {stored}")

    def remove(self) -> None:
        for kind, name in reversed(self._made):
            with contextlib.suppress(duckdb.TransactionException):  # a failure has undone them all already
                self._cursor.execute(f"drop {kind} if exists temp.{name}")

    def _fold(self) -> FoldedRows:
        """Persons of this world, of all that may differ from the stored ones."""
        known_order = self._parameters["known_order"]
        voids = voids_after(read_voids(self._cursor, known_order), self._world.also)
        component = find_component(self._cursor, self._salt, self._touched(), known_order)
        folded = fold_component(component, self._salt, voids, self._history, self._world.happened_at)
        [(next_id,)] = self._cursor.execute("select coalesce(max(identity_id) + 1, 0) from store.identities").fetchall()
        return FoldedRows(folded, self._salt, next_id)

    def _touched(self) -> set[int]:
        """The pairs with which a difference to the stored world may begin."""
        found = self._cursor.execute(read_statement("worlds/touched_pairs"), self._parameters).fetchall()
        touched = {pair_id for (pair_id,) in found}
        later = self._cursor.execute(
            "select act, details from store.acts where log_order >= ?", [self._parameters["known_order"]]
        ).fetchall()
        acts = [*((act, json.loads(text)) for act, text in later), *self._world.also]
        return touched | pairs_of_acts(self._cursor, self._salt, acts)

    def _of_messages(self, rows: FoldedRows, what: str, found: pa.Table) -> pa.Table:
        """Links or moves of the messages that were folded, as they would be stored."""
        numbers = pa.array(range(rows.messages.num_rows), pa.uint32())
        with (
            registered(self._cursor, "messages", rows.messages.append_column("row", numbers)),
            registered(self._cursor, f"new_{what}", found),
        ):
            return self._cursor.sql(read_statement(f"one_id/{what}_of_messages")).to_arrow_table()

    def _also(self) -> pa.Table:
        now = datetime.now(UTC).replace(tzinfo=None)
        rows = [
            (act, "", json.dumps(details, ensure_ascii=False), now, f"{_ALWAYS}/{number}")
            for number, (act, details) in enumerate(self._world.also)
        ]
        return table_of(rows, _ACTS)

    def _accounts(self, rows: FoldedRows) -> None:
        """Memberships of this world, folded from its evidence."""
        merged = read_merged(self._cursor, "world_acts")
        self._table("world_merged_accounts", table_of([(*account, into) for account, into in merged.items()], MERGED))
        concerned = pa.table({"identity_id": pa.array(sorted(set(rows.identity_id.tolist())), pa.uint32())})
        with registered(self._cursor, "recollected_identities", concerned):
            self._table("world_sightings", self._ask("load/stored_sightings"))
        self._table("world_act_evidence", self._ask("load/act_evidence"))
        self._view("world_account_evidence", self._statement("worlds/account_evidence"))
        self._view("folded_identities", "select identity_id, founder_id from world_identities")
        self._table("world_memberships", self._ask("load/fold_memberships"))
        self._view("folded_memberships", "select * from world_memberships")
        self._table("world_account_spans", self._ask("load/fold_spans"))

    def _ask(self, name: str) -> pa.Table:
        return self._cursor.sql(self._in_world(read_statement(name))).to_arrow_table()

    def _statement(self, name: str) -> str:
        return with_literals(read_statement(name), self._parameters)

    def _in_world(self, sql: str) -> str:
        names = "|".join((*_STORED, *_FOLDED, *_ATTRIBUTED))
        return re.sub(rf"\bstore\.({names})\b", r"world_\1", sql)

    def _table(self, name: str, rows: pa.Table) -> None:
        with registered(self._cursor, "world_rows", rows):
            self._cursor.execute(f"create temp table {name} as select * from world_rows")
        self._made.append(("table", name))

    def _view(self, name: str, select: str) -> None:
        self._cursor.execute(f"create temp view {name} as {select}")
        self._made.append(("view", name))
