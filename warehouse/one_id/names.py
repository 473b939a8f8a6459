"""Public names of persons: keyed hashes of the identities that found them, equal on every replay."""

import hashlib
from uuid import UUID

from ingest.identity.rules import SAME_VALUE_KEYS
from ingest.message import Identity, uuid_of


def founder_digest(salt: bytes, identity: Identity, incarnation: int) -> bytes:
    """16 bytes that name the person that this identity founds: a keyed hash, the same on every replay."""
    name = f"{identity.key}\0{identity.value}\0{incarnation}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=16, key=salt).digest()


def pair_digest(salt: bytes, identity: Identity) -> bytes:
    """16 bytes that name a pair, by which it is found and told from others that were seen at the same moment."""
    return founder_digest(salt, identity, 0)


def founder_person_id(salt: bytes, identity: Identity, incarnation: int) -> UUID:
    """The public id of the person that this identity founds."""
    return uuid_of(founder_digest(salt, identity, incarnation))


def twin_of(identity: Identity) -> Identity | None:
    """The identity that would be the same one under another key, if the key has such a counterpart."""
    key = SAME_VALUE_KEYS.get(identity.key)
    return Identity(key, identity.value) if key is not None else None
