"""Misfits: values of properties that stand in no column of theirs, counted by name and reason.

A sender may make up a name for each value; what is counted of one load is bounded, and nothing goes uncounted.
"""

from collections import Counter
from collections.abc import Mapping

OTHERS = "(others)"
_MOST_NAMES = 1000
_MOST_NAME_CHARS = 255


def counted_misfits(misfits: Mapping[tuple[str, str], int]) -> list[tuple[str, str, int]]:
    """Name, reason and count, of the first thousand names as they came; the rest counts under one name."""
    counts, names = Counter[tuple[str, str]](), set[str]()
    for (sent_name, reason), count in misfits.items():
        name = sent_name[:_MOST_NAME_CHARS]
        if name not in names and len(names) == _MOST_NAMES:
            name = OTHERS
        else:
            names.add(name)
        counts[name, reason] += count
    return [(name, reason, count) for (name, reason), count in counts.items()]
