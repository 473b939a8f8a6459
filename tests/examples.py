"""How many random examples a property test tries: few in the short form, more when ONEPATH_TEST_EXAMPLES says so."""

import os

from hypothesis import settings

FACTOR = int(os.environ.get("ONEPATH_TEST_EXAMPLES", "1"))
"""The long form (`make test-questions`) multiplies all numbers of examples by this, with a seed that it prints."""


def examples(short: int) -> settings:
    """Settings of a property test: the same examples every time in the short form."""
    return settings(max_examples=short * FACTOR, derandomize=FACTOR == 1, database=None, deadline=None, print_blob=True)
