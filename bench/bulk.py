"""Many links at once: reading them and numbering their identities, alone and with the fold into persons."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench.linked import SALT, write_link_pairs
from bench.timing import show, take_turns
from ingest.identity.rules import DEFAULT_RULES, SAME_VALUE_KEYS
from ingest.message import Identity
from warehouse.one_id.graph import Folded, IdentityGraph, Messages, Pairs
from warehouse.one_id.names import founder_digest

Ints = npt.NDArray[np.int64]


class Interned(NamedTuple):
    """Link pairs as numbers: by link its owner and the other (-1: none); by identity its key, value and twin (-1)."""

    owner: Ints
    other: Ints
    key: Ints
    twin: Ints
    key_names: list[str]
    value: pa.Array


def show_bulk(folder: Path, persons: int, links: int, rounds: int) -> None:
    """Interning the identities of a file of links, alone and with the fold."""
    path = folder / "links.parquet"
    identities = write_link_pairs(path, persons, links)
    fold_links(read_interned(path), named=False)  # the kernel is compiled, the file is in memory
    folding, graphs = list[float](), list[IdentityGraph]()

    def timed(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def fold(*, named: bool) -> None:
        graph, fold_s = fold_links(read_interned(path), named=named)
        graphs.append(graph)
        folding.append(fold_s)

    taken = take_turns(
        {
            "read and intern": lambda: timed(lambda: read_interned(path)),
            "+ fold": lambda: timed(lambda: fold(named=False)),
            "+ fold + public names": lambda: timed(lambda: fold(named=True)),
        },
        rounds,
    )
    for graph in graphs:
        assert len(np.unique(graph.founders(np.arange(identities)))) == persons
    alone = taken["read and intern"]
    rows = [(name, f"{seconds:.2f}", f"{seconds / alone:.2f} x") for name, seconds in taken.items()]
    rows.append(("the fold itself", f"{median(folding):.2f}", f"{median(folding) / alone:.2f} x"))
    title = f"{links:,} links over {identities:,} identities of {persons:,} persons"
    show(title, ("bulk", "s", "/ read and intern"), rows)


def read_interned(path: Path) -> Interned:
    """Read link pairs and number their identities: values by Arrow's dictionary, then pairs of value and key."""
    table = pq.read_table(path)
    count = table.num_rows
    keys, key_names = _codes(table, "key")
    values, value_names = _codes(table, "value")
    width = len(key_names)
    code = np.where(values < 0, -1, values * width + keys)
    is_used = np.zeros(len(value_names) * width + 1, np.bool_)  # the last place is that of no identity
    is_used[code] = True
    is_used[-1] = False
    number = np.where(is_used, np.cumsum(is_used) - 1, -1)
    used = np.flatnonzero(is_used)
    names = key_names.to_pylist()
    counterpart = np.array(
        [names.index(SAME_VALUE_KEYS[name]) if SAME_VALUE_KEYS.get(name) in names else -1 for name in names]
    )
    key, other_key = used % width, counterpart[used % width]
    twin = np.where(other_key < 0, -1, number[used - key + other_key])
    return Interned(
        number[code[:count]], number[code[count:]], key, twin, names, value_names.take(pa.array(used // width))
    )


def _codes(table: pa.Table, column: str) -> tuple[Ints, pa.Array]:
    """A column of both ends as numbers (-1: null), and what they stand for."""
    both = pa.chunked_array([*table[f"owner_{column}"].chunks, *table[f"other_{column}"].chunks])
    coded = both.dictionary_encode().combine_chunks()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    return coded.indices.fill_null(-1).to_numpy().astype(np.int64), coded.dictionary


def fold_links(links: Interned, *, named: bool) -> tuple[IdentityGraph, float]:
    """Fold links as one message each under the default rules; the graph, and the seconds of the fold alone.

    With `named`, each identity's public name is hashed as well, as a load does for those that are new.
    """
    graph, count = IdentityGraph(), len(links.key)
    has_other = links.other >= 0
    begins = np.r_[0, np.cumsum(1 + has_other)]
    pair = np.empty(begins[-1], np.int64)
    pair[begins[:-1]] = links.owner
    pair[begins[:-1][has_other] + 1] = links.other[has_other]
    messages = len(links.owner)
    digest = np.zeros(count, np.int64)
    if named:
        rows = zip(links.key.tolist(), links.value.to_pylist(), strict=True)
        names = b"".join(founder_digest(SALT, Identity(links.key_names[key], value), 0) for key, value in rows)
        digest = np.frombuffer(names, ">u4").reshape(-1, 4)[:, 0].astype(np.int64)
    numbers = np.array([graph.keys.number(name) for name in links.key_names])
    began = time.perf_counter()
    folded: Folded = graph.fold(
        [DEFAULT_RULES],
        Messages(
            begins=begins,
            arrived_us=np.arange(messages),
            index=np.zeros(messages, np.int64),
            rules=np.zeros(messages, np.int64),
            is_unbind=np.zeros(messages, np.bool_),
            may_link=np.ones(messages, np.bool_),
            pair=pair,
            void=np.zeros(len(pair), np.int64),
        ),
        Pairs(
            pair_id=np.full(count, -1),
            key=numbers[links.key],
            digest=digest,
            twin=links.twin,
            twin_void=np.zeros(count, np.int64),
        ),
    )
    assert len(folded.new) == count
    return graph, time.perf_counter() - began
