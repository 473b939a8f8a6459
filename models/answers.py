"""What every answer carries beside its numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SqlStatement:
    """A named statement that runs as it is on the public views and gives exactly the answer's numbers."""

    name: str
    sql: str
