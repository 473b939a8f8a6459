"""Sightings: which identities the messages of a batch carry, in the order of the rules, on whole columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.identity.rules import IdentityRules
from ingest.message import Identity

_Ints = npt.NDArray[np.int64]


class Sightings(NamedTuple):
    """Parallel columns: the row of a message and the place of a pair, of each message the one it belongs to first."""

    row: _Ints
    pair: _Ints

    def of_rows(self, is_wanted: npt.NDArray[np.bool_]) -> "Sightings":
        """Those of the rows for which `is_wanted` holds."""
        kept = is_wanted[self.row]
        return Sightings(self.row[kept], self.pair[kept])

    def nth(self) -> _Ints:
        """The place of each sighting in its message: 0, 1, ..."""
        at = np.arange(len(self.row))
        begins = np.r_[True, self.row[1:] != self.row[:-1]] if len(at) else np.zeros(0, np.bool_)
        return at - np.maximum.accumulate(np.where(begins, at, 0)) if len(at) else at


@dataclass(frozen=True)
class RulesFrom:
    """From this row of a batch on, these rules hold."""

    row: int
    rules: IdentityRules


def order_sightings(
    row: Sequence[int], pair: Sequence[int], identities: Sequence[Identity], rules: Sequence[RulesFrom]
) -> Sightings:
    """Put what messages carry, by growing row, into the order of the rules, and leave out what does not count."""
    rows, pairs = np.asarray(row, np.int64), np.asarray(pair, np.int64)
    version = np.searchsorted([each.row for each in rules[1:]], rows, side="right")
    priority, is_silent = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    for number, each in enumerate(rules):
        at = version == number
        used = np.unique(pairs[at])
        ranks = np.zeros(len(identities), np.int64)
        silent = np.zeros(len(identities), np.bool_)
        for place in used.tolist():
            ranks[place] = each.rules.key(identities[place].key).priority
            silent[place] = each.rules.is_silent(identities[place])
        priority[at], is_silent[at] = ranks[pairs[at]], silent[pairs[at]]
    order = np.lexsort((np.arange(len(rows)), priority, is_silent, rows))
    rows, pairs, is_silent = rows[order], pairs[order], is_silent[order]
    is_first = np.r_[True, rows[1:] != rows[:-1]] if len(rows) else np.zeros(0, np.bool_)
    kept = is_first | ~is_silent
    return Sightings(rows[kept], pairs[kept])
