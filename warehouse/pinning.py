"""Pinning: who came to a freed pair after an erased person keeps the number of the incarnation, and so the person id.

The message that freed the pair was the erased person's and is gone; that the pair was once another's stands in the act
of the deletion, as the end of its span.
"""

import pyarrow as pa

from ingest.erasure.deletions import Deletion, Deletions
from ingest.message import Identity
from warehouse.frames import registered
from warehouse.identity import founder_digest
from warehouse.message_columns import uuids
from warehouse.statements import read_statement
from warehouse.warehouse import Warehouse

_IDENTITIES = "select identity_id, identity_key, identity_value, incarnation, log_order from store.identities"


def pin_incarnations(warehouse: Warehouse, deletions: list[Deletion]) -> int:
    """Number incarnations in a rebuilt warehouse as before the deletions; returns how many were numbered anew."""
    known = Deletions(deletions, warehouse.project.salt)
    if not known.has_ended:
        return 0
    with warehouse.write() as connection:
        pinned = list[tuple[int, Identity, int]]()
        for identity_id, key, value, incarnation, order in connection.execute(_IDENTITIES).fetchall():
            identity = Identity(key, value)
            if earlier := known.ended_before(identity, order):
                pinned.append((identity_id, identity, incarnation + earlier))
        salt = warehouse.project.salt.encode()
        rows = pa.table(
            {
                "identity_id": pa.array([each[0] for each in pinned], pa.uint32()),
                "incarnation": pa.array([each[2] for each in pinned], pa.uint32()),
                "own_person_id": uuids([founder_digest(salt, identity, number) for _, identity, number in pinned]),
            }
        )
        with registered(connection, "pinned", rows):
            connection.execute(read_statement("forget/pin_identities"))
        connection.execute(read_statement("forget/name_persons"))
    return len(pinned)
