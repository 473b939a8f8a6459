"""How many random examples a property test tries: few in the short form, more when ONEPATH_TEST_EXAMPLES says so."""

import os

from hypothesis import settings

FACTOR = int(os.environ.get("ONEPATH_TEST_EXAMPLES", "1"))
"""The long form (`make test-questions`) multiplies all numbers of examples by this, with a seed that it prints."""


def examples(short: int) -> settings:
    """Settings of a property test: a third of `short` and the same examples every time, in the short form."""
    count = short * FACTOR if FACTOR > 1 else max(4, short // 3)
    return settings(max_examples=count, derandomize=FACTOR == 1, database=None, deadline=None, print_blob=True)
