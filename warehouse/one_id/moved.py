"""What moved: the persons, identities, events and accounts that an act changes, told before or after it is done."""

from dataclasses import dataclass

from warehouse.one_id.worlds import World
from warehouse.snapshot import DuckDBSnapshot
from warehouse.statements import read_statement


@dataclass(frozen=True)
class MovedIdentity:
    """An identity that is another person's: `person_before` and `person_after` are public ids."""

    identity_key: str
    identity_value: str
    incarnation: int
    person_before: str
    person_after: str


@dataclass(frozen=True)
class MovedEvents:
    """How many events of one person are another's."""

    person_before: str
    person_after: str
    event_count: int


@dataclass(frozen=True)
class Moved:
    """What differs between before and after. `events_of_another_account` counts events whose person stayed, too;
    `memberships` those of a person in an account that are there only before or only after.
    """

    persons_before: int
    persons_after: int
    identities: tuple[MovedIdentity, ...]
    events: tuple[MovedEvents, ...]
    events_of_another_account: int
    memberships: int

    @property
    def event_count(self) -> int:
        """Events that are another person's."""
        return sum(each.event_count for each in self.events)

    @property
    def is_nothing(self) -> bool:
        """Whether nobody and nothing moved."""
        return not (self.identities or self.events or self.events_of_another_account or self.memberships)


def what_moved(snapshot: DuckDBSnapshot, world: World) -> Moved:
    """Compare what the snapshot shows with what it would show in `world`."""
    with snapshot.imagined(world):
        [counts] = snapshot.query(read_statement("worlds/moved_counts")).to_pylist()
        identities = snapshot.query(read_statement("worlds/moved_identities")).to_pylist()
        events = snapshot.query(read_statement("worlds/moved_events")).to_pylist()
    return Moved(
        identities=tuple(MovedIdentity(**row) for row in identities),
        events=tuple(MovedEvents(**row) for row in events),
        **counts,
    )
