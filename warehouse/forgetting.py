"""Forgetting, as far as the warehouse knows: who a person is, what there is of them, and which deletions it has seen.

The rows themselves go by a rebuild from the cleaned log (ADR 0014).
"""

from typing import NamedTuple
from uuid import UUID

from ingest.erasure.survey import OwnedPair
from ingest.message import Identity
from warehouse.errors import NoSuchPerson
from warehouse.snapshot import DuckDBSnapshot
from warehouse.statements import read_statement, with_literals
from warehouse.warehouse import Warehouse

_FORGOTTEN = "forgotten"


class PersonCounts(NamedTuple):
    """How many identities, events and calls a person has."""

    identities: int
    events: int
    calls: int


def find_person(snapshot: DuckDBSnapshot, wanted: str) -> str:
    """The id of the person named by it, or by `KEY=VALUE` of an identity. Raises `NoSuchPerson`."""
    key, equals, value = wanted.partition("=")
    if not equals:
        return _person_of_id(snapshot, wanted)
    statement = read_statement("forget/persons_of_identity")
    found = snapshot.query(with_literals(statement, {"identity_key": key, "identity_value": value}))
    persons: list[str] = found["person_id"].to_pylist()
    if not persons:
        raise NoSuchPerson(f"nobody has the identity {key} with the value {value!r}; {_HOW_TO_FIND}")
    if len(persons) > 1:
        raise NoSuchPerson(
            f"{key}={value} was freed and belongs or belonged to {len(persons)} persons; name one by its id: "
            + " or ".join(persons)
        )
    return persons[0]


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


_HOW_TO_FIND = (
    'look for the person with `onepath sql "select * from identities"`, or name a person_id from `persons` or `events`'
)


def _person_of_id(snapshot: DuckDBSnapshot, wanted: str) -> str:
    try:
        person_id = str(UUID(wanted))
    except ValueError as error:
        raise NoSuchPerson(
            f"{wanted!r} is neither a person id nor KEY=VALUE of an identity, such as $identity_login_id=anna; "
            + _HOW_TO_FIND
        ) from error
    if not counts_of(snapshot, person_id).identities:
        raise NoSuchPerson(f"nobody has the person id {person_id}; {_HOW_TO_FIND}")
    return person_id


def _message_order(order: str | None) -> str | None:
    """The place of a message, without the place of an identity in it."""
    return "/".join(order.split("/")[:5]) if order is not None else None
