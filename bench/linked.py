"""Identities that the benchmarks of One-ID start from: link pairs in a file, a warehouse of any size, and links for it.

In the warehouse identities 2p and 2p + 1 are person p, put together by one message: a device, and a login where 4
divides p, else a cookie. So three of four persons have no login yet, and may be merged into one that has.
"""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.events import SEED
from ingest.log.writer import LogWriter
from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity
from ingest.record import Request
from ingest.settings import DecodeSettings
from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.frames import registered
from warehouse.one_id.names import founder_digest
from warehouse.project import Project
from warehouse.settings import WarehouseSettings
from warehouse.uuids import uuids
from warehouse.warehouse import Warehouse

PROJECT = Project("bench", "a salt for the benchmark only")
SALT = PROJECT.salt.encode()
MOBILE, COOKIE = "$identity_mobile", "$identity_cookie_id"
_CHUNK = 500_000

Link = tuple[Identity, Identity]

_IDENTITIES = """
insert into store.identities by name
select
    identity_id,
    identity_id as pair_id,
    own_person_id as pair_hash,
    identity_key,
    identity_value,
    0 as incarnation,
    timestamp '2020-01-01' + to_seconds(identity_id // 2) as first_seen_at,
    first_seen_at as last_seen_at,
    printf(
        '%017d/bench/000000000000/%012d/000000/%06d', epoch_us(first_seen_at), identity_id // 2, identity_id % 2
    ) as log_order,
    own_person_id,
from chunk
"""
_PERSONS = """
insert into store.identity_persons by name
select
    identity_id,
    identity_key,
    identity_id - identity_id % 2 as founder_id,
    lag(own_person_id, identity_id % 2) over (order by identity_id) as person_id,
from chunk
order by identity_id
"""
_LINKS = """
insert into store.links by name
select
    identity_id - 1 as left_identity_id,
    identity_id as right_identity_id,
    'message' as link_kind,
    'joined' as outcome,
    first_seen_at as linked_at,
    'native' as protocol,
    'track' as record_type,
    log_order[:-8] as log_order,
from store.identities
where identity_id % 2 = 1
order by identity_id
"""
_MOVES = """
insert into store.identity_moves by name
select
    identity_id,
    identity_id - 1 as founder_id,
    first_seen_at as moved_at,
    log_order[:-8] as log_order,
from store.identities
where identity_id % 2 = 1
order by identity_id
"""


def device(person: int) -> Identity:
    """The device of a person."""
    return Identity(ANONYMOUS_ID, f"device-{person:08d}")


def second(person: int) -> Identity:
    """What a person is known by besides: a login, or a cookie."""
    return Identity(COOKIE, f"cookie-{person:08d}") if person % 4 else Identity(LOGIN_ID, f"user-{person:08d}")


def write_link_pairs(path: Path, persons: int, links: int) -> int:
    """Link pairs as Parquet, the stronger identity first; returns how many identities they carry.

    A quarter of the persons have a login and a mobile number besides their device, linked again and again in random
    order; the others' devices stand alone, without an `other`. The last hundredth are links with a stranger's login.
    """
    chance, linked = np.random.default_rng(SEED), persons // 4
    strangers = links // 100
    edge = np.r_[np.arange(2 * linked), chance.integers(0, 2 * linked, links - strangers - 2 * linked)]
    chance.shuffle(edge)
    person = np.r_[edge % linked, chance.integers(0, linked, strangers)]
    is_mobile = np.r_[edge >= linked, np.zeros(strangers, np.bool_)]
    owner = np.r_[person[:-strangers], (person[-strangers:] + 1) % linked]
    alone = np.arange(linked, persons)
    other_value = pc.if_else(is_mobile, _names("1", person), _names("device-", person))
    table = pa.table(
        {
            "owner_key": _repeat([(LOGIN_ID, links), (ANONYMOUS_ID, len(alone))]),
            "owner_value": pa.chunked_array([_names("user-", owner), _names("device-", alone)]),
            "other_key": pa.chunked_array(
                [pc.if_else(is_mobile, MOBILE, ANONYMOUS_ID), pa.nulls(len(alone), pa.string())]
            ),
            "other_value": pa.chunked_array([other_value, pa.nulls(len(alone), pa.string())]),
        }
    )
    pq.write_table(table, path)
    return persons + 2 * linked


def _names(prefix: str, numbers: np.ndarray) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 10, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _repeat(runs: list[tuple[str, int]]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(value, count) for value, count in runs])


@contextmanager
def open_warehouse(folder: Path, memory_limit_mb: int) -> Iterator[Warehouse]:
    """An empty warehouse file in `folder`."""
    settings = WarehouseSettings(memory_limit_mb=memory_limit_mb, query_timeout_s=600)
    warehouse = Warehouse(folder / "bench.duckdb", PROJECT, settings)
    try:
        yield warehouse
    finally:
        warehouse.close()


def fill_identities(warehouse: Warehouse, count: int) -> None:
    """Give the warehouse `count` identities of half as many persons, with the links and moves that made them."""
    for begin in range(0, count, _CHUNK):
        ids = range(begin, min(begin + _CHUNK, count))
        named = [second(number // 2) if number % 2 else device(number // 2) for number in ids]
        chunk = pa.table(
            {
                "identity_id": pa.array(ids, pa.uint32()),
                "identity_key": [each.key for each in named],
                "identity_value": [each.value for each in named],
                "own_person_id": uuids(founder_digest(SALT, each, 0) for each in named),
            }
        )
        with warehouse.write() as connection, registered(connection, "chunk", chunk):
            connection.execute(_IDENTITIES)
            connection.execute(_PERSONS)
    with warehouse.write() as connection:
        connection.execute(_LINKS)
        connection.execute(_MOVES)
    warehouse.checkpoint()


def daily_links(persons: int, count: int, batch: int) -> list[Link]:
    """What a batch brings to a warehouse of `persons`: links seen before, new devices, merges, and new persons."""
    chance, links = random.Random(SEED + batch), list[Link]()
    for number in range(count):
        person, name = chance.randrange(persons // 4) * 4, f"{batch}-{number}"
        new = Identity(ANONYMOUS_ID, f"new-{name}")
        match number % 4:
            case 0:
                links.append((second(person), device(person)))
            case 1:
                links.append((second(person), new))
            case 2:
                links.append((second(person), device(person + 1 + batch % 3)))
            case _:
                links.append((Identity(LOGIN_ID, f"newcomer-{name}"), new))
    return links


def merging_links(count: int) -> Iterator[Link]:
    """`count` links, each of which merges a person without a login into one that has one."""
    for number in range(count):
        owner = number // 3 * 4
        yield second(owner), device(owner + 1 + number % 3)


def write_links(log: Path, links: Sequence[Link], stream: str = "bench") -> None:
    """Links as events in a log, 100 to a request."""
    writer = LogWriter(log, stream)
    for begin in range(0, len(links), 100):
        events = [
            {"event_name": "LoggedIn", "identities": {one.key: one.value, other.key: other.value}}
            for one, other in links[begin : begin + 100]
        ]
        writer.append(Request("POST", "/events", "", {}, "127.0.0.1", json.dumps(events).encode()))
    writer.close()


def decoded(log: Path) -> DecodedBatch:
    """All that the log holds, as one batch."""
    return decode_batch(
        BatchRequest(
            log=log,
            watermark={},
            known_columns=[],
            max_bytes=1 << 40,
            max_messages=1 << 40,
            max_plain_bytes=1 << 40,
            max_property_columns=400,
            settings=DecodeSettings(),
        )
    )
