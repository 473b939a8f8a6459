"""How many random examples a property test tries: few in the short form, more when ONEPATH_TEST_EXAMPLES says so."""

import os

from hypothesis import Phase, settings

FACTOR = int(os.environ.get("ONEPATH_TEST_EXAMPLES", "1"))
"""The long form (`make test-random`) multiplies all numbers of examples by this, with a seed that it prints."""

_SHARED = settings(derandomize=FACTOR == 1, database=None, deadline=None, print_blob=True)


def examples(short: int) -> settings:
    """Settings of a property test: a third of `short` and the same examples every time, in the short form."""
    return settings(_SHARED, max_examples=short * FACTOR if FACTOR > 1 else max(4, short // 3))


def histories(short: int) -> settings:
    """Settings of a property test whose every example loads warehouses, a second each; what fails stays as found."""
    return settings(_SHARED, max_examples=short * FACTOR, phases=[Phase.generate])
