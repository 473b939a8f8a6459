"""Finding a person by what somebody has at hand: an id, the beginning of one, `KEY=VALUE` of an identity, a value."""

from collections.abc import Iterable

from warehouse.errors import NoSuchPerson
from warehouse.reader import Snapshot
from warehouse.statements import read_statement, with_literals

_MOST_NAMED = 5
_HOW_TO_FIND = 'look among `onepath sql "select * from identities"`, or take a person_id of `persons` or `events`'


def find_person(snapshot: Snapshot, wanted: str, *, exactly: bool = False) -> str:
    """The id of the one person meant. Raises `NoSuchPerson` where there is none, or more than one.

    A pair goes before a value, and a value before the beginning of an id. A preset key may be named without its
    `$identity_`. With `exactly`, only a whole id or a pair will do: for what cannot be taken back.
    """
    key, _, value = wanted.partition("=")
    named = {"named": wanted, "identity_key": key if value else "", "identity_value": value}
    rows = snapshot.query(with_literals(read_statement("one_id/persons_named"), named)).to_pylist()
    if exactly:
        rows = [row for row in rows if row["found_by"] == "pair" or row["person_id"] == wanted.lower()]
    for found_by in ("pair", "value", "id"):
        found = [row for row in rows if row["found_by"] == found_by]
        persons = sorted({row["person_id"] for row in found})
        if len(persons) == 1:
            return str(persons[0])
        if persons:
            raise NoSuchPerson(_too_many(wanted, found_by, found, persons))
    if exactly:
        raise NoSuchPerson(f"nobody has the person id or the identity (KEY=VALUE) {wanted!r}; {_HOW_TO_FIND}")
    raise NoSuchPerson(f"nobody has the person id, the identity or the value {wanted!r}; {_HOW_TO_FIND}")


def _too_many(wanted: str, found_by: str, found: list[dict[str, str]], persons: list[str]) -> str:
    if found_by == "id":
        return f"{len(persons)} persons have an id that begins with {wanted!r}; write more of it"
    if found_by == "pair":
        return (
            f"{wanted} was freed and belongs or belonged to {len(persons)} persons; name one by its id: "
            f"{_named(persons)}"
        )
    pairs = sorted({f"{row['identity_key']}={row['identity_value']}" for row in found})
    if len(pairs) == 1:
        return _too_many(pairs[0], "pair", found, persons)
    return f"{wanted!r} is the value of {len(pairs)} identities of several persons; name one: {_named(pairs)}"


def _named(texts: Iterable[str]) -> str:
    every = list(texts)
    return " or ".join(every[:_MOST_NAMED]) + (" or ..." if len(every) > _MOST_NAMED else "")
