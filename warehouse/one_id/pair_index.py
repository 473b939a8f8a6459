"""The pair index: which pair of an identity has which hash, in memory.

A look-up costs as much as is asked for, not as much as there is. Like the graph it is a cache of `store.identities`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from warehouse.uuids import uuid_bytes

Ints = npt.NDArray[np.int64]
_FEW_NEW = 100_000
_NEW_SHARE = 16


class PairIndex:
    """Hashes to pair ids. Of a hash it compares 92 bits: two of ten million pairs are taken for one once in 10^14."""

    def __init__(self, hashes: npt.NDArray[np.uint8], pair_ids: Ints) -> None:
        """`hashes`: 16 bytes a row, in the form of a UUID; `pair_ids`: by row."""
        high, low = _halves(hashes)
        order = np.argsort(high, kind="stable")
        self._high, self._low, self._pair_ids = high[order], low[order], pair_ids[order].astype(np.int32)
        self._new: dict[bytes, int] = {}
        self._gone = set[int]()

    @property
    def byte_count(self) -> int:
        """Bytes of memory that it takes, without what has come since it was last sorted."""
        return self._high.nbytes + self._low.nbytes + self._pair_ids.nbytes

    def find(self, digests: Sequence[bytes]) -> Ints:
        """The id of each pair, by the hash of its name; -1 for those never seen."""
        found = self._find_sorted(digests)
        if self._new:
            both = zip(digests, found.tolist(), strict=True)
            found = np.array([self._new.get(digest, pair_id) for digest, pair_id in both], np.int64)
        if self._gone:
            found[np.isin(found, list(self._gone))] = -1
        return found

    def add(self, digests: Sequence[bytes], pair_ids: Ints) -> None:
        """Pairs that were not known."""
        self._new.update(zip(digests, pair_ids.tolist(), strict=True))
        if len(self._new) > max(_FEW_NEW, len(self._high) // _NEW_SHARE):
            self._sort()

    def remove(self, pair_ids: set[int]) -> None:
        """Pairs that are no more; their ids are never given again."""
        self._gone |= pair_ids

    def _find_sorted(self, digests: Sequence[bytes]) -> Ints:
        high, low = _halves(uuid_bytes(digests))
        found = np.full(len(high), -1, np.int64)
        waiting = np.argsort(high)  # in order, so that neighbours share what the processor has read
        at = np.searchsorted(self._high, high[waiting])
        while len(waiting):
            is_there = at < len(self._high)
            waiting, at = waiting[is_there], at[is_there]
            is_there = self._high[at] == high[waiting]
            waiting, at = waiting[is_there], at[is_there]
            is_found = self._low[at] == low[waiting]
            found[waiting[is_found]] = self._pair_ids[at[is_found]]
            waiting, at = waiting[~is_found], at[~is_found] + 1
        return found

    def _sort(self) -> None:
        """Put what is new in its place among the rest."""
        kept = ~np.isin(self._pair_ids, list(self._gone))
        new = {digest: pair_id for digest, pair_id in self._new.items() if pair_id not in self._gone}
        high, low = _halves(uuid_bytes(list(new)))
        high, low = np.r_[self._high[kept], high], np.r_[self._low[kept], low]
        order = np.argsort(high, kind="stable")
        pair_ids = np.r_[self._pair_ids[kept], np.array(list(new.values()), np.int32)]
        self._high, self._low, self._pair_ids = high[order], low[order], pair_ids[order]
        self._new, self._gone = {}, set()


def _halves(hashes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """The first eight bytes and the last four of each hash."""
    high = np.ascontiguousarray(hashes[:, :8]).view(">u8")[:, 0].astype(np.uint64)
    low = np.ascontiguousarray(hashes[:, 12:]).view(">u4")[:, 0].astype(np.uint32)
    return high, low
