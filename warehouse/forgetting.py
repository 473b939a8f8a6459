"""Forgetting, as far as the warehouse knows: who a person is, what there is of them, and which deletions it has seen.

The rows themselves go by a rebuild from the cleaned log (ADR 0014).
"""

from typing import NamedTuple

from ingest.erasure.survey import OwnedPair
from ingest.message import Identity
from warehouse.snapshot import DuckDBSnapshot
from warehouse.statements import read_statement, with_literals
from warehouse.warehouse import Warehouse

_FORGOTTEN = "forgotten"


class PersonCounts(NamedTuple):
    """How many identities, events and calls a person has."""

    identities: int
    events: int
    calls: int


def pairs_of(snapshot: DuckDBSnapshot, person_id: str) -> list[OwnedPair]:
    """The person's identities, each with the span of the log in which it was this person's."""
    rows = snapshot.query(with_literals(read_statement("forget/person_pairs"), {"person_id": person_id})).to_pylist()
    return [
        OwnedPair(
            Identity(row["identity_key"], row["identity_value"]),
            _message_order(row["since_order"]),
            _message_order(row["until_order"]),
        )
        for row in rows
    ]


def linked_values(snapshot: DuckDBSnapshot, person_id: str) -> set[str]:
    """Values of others that messages of the person may have carried, too."""
    rows = snapshot.query(with_literals(read_statement("forget/linked_values"), {"person_id": person_id}))
    return set(rows["value"].to_pylist())


def counts_of(snapshot: DuckDBSnapshot, person_id: str) -> PersonCounts:
    """What the warehouse holds of a person."""
    [row] = snapshot.query(with_literals(read_statement("forget/person_counts"), {"person_id": person_id})).to_pylist()
    return PersonCounts(row["identities"], row["events"], row["calls"])


def loaded_files(snapshot: DuckDBSnapshot) -> set[tuple[str, int]]:
    """The log files, by stream and number, that messages in the warehouse came from."""
    rows = snapshot.query(read_statement("forget/loaded_files")).to_pylist()
    return {(row["stream"], row["log_file"]) for row in rows}


def must_forget(snapshot: DuckDBSnapshot, deletions: str) -> bool:
    """Whether the warehouse was not made after all of the deletions (`fingerprint`): it is restored, or new."""
    known = snapshot.query(f"select value from store.settings where name = '{_FORGOTTEN}'")["value"].to_pylist()
    return (known[0] if known else "") != deletions


def remember_deletions(warehouse: Warehouse, deletions: str) -> None:
    """The warehouse holds nothing of whom these deletions erased."""
    with warehouse.write() as connection:
        connection.execute("delete from store.settings where name = ?", [_FORGOTTEN])
        connection.execute("insert into store.settings values (?, ?)", [_FORGOTTEN, deletions])


def _message_order(order: str | None) -> str | None:
    """The place of a message, without the place of an identity in it."""
    return "/".join(order.split("/")[:5]) if order is not None else None
