"""The pair index agrees with a dictionary, whatever comes and goes."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.one_id import pair_index
from warehouse.one_id.pair_index import PairIndex
from warehouse.uuids import uuid_bytes

NAMES = st.integers(0, 30)
TURNS = st.lists(st.tuples(st.lists(NAMES, max_size=8, unique=True), st.lists(NAMES, max_size=3)), max_size=6)


def digest(name: int) -> bytes:
    """The hash of a pair; names that differ by 16 share its first half."""
    return hashlib.sha256(str(name % 16).encode()).digest()[:8] + hashlib.sha256(str(name).encode()).digest()[:8]


def index_of(known: dict[int, int]) -> PairIndex:
    """An index restored with these pairs."""
    return PairIndex(uuid_bytes(digest(name) for name in known), np.array(list(known.values()), np.int64))


@pytest.mark.parametrize("few_new", [0, 100])
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(stored=st.lists(NAMES, unique=True), turns=TURNS)
def test_every_pair_is_found_by_its_hash_until_it_is_gone(
    few_new: int, stored: list[int], turns: list[tuple[list[int], list[int]]]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pair_index, "_FEW_NEW", few_new)
        known = {name: number for number, name in enumerate(stored)}
        index, next_id = index_of(known), len(known)
        for come, gone in turns:
            new = {name: next_id + number for number, name in enumerate(each for each in come if each not in known)}
            next_id += len(new)
            index.add([digest(name) for name in new], np.array(list(new.values()), np.int64))
            known |= new
            index.remove({known.pop(name) for name in set(gone) & known.keys()})
            every = list(range(31))
            assert index.find([digest(name) for name in every]).tolist() == [known.get(name, -1) for name in every]


def test_empty_index_knows_nothing() -> None:
    index = index_of({})
    assert index.find([]).tolist() == []
    assert index.find([digest(1)]).tolist() == [-1]
