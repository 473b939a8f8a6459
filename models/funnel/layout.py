"""The names and bits that the statements of a funnel share.

A set of steps is a number with a bit for each step. An attempt is a row: the keys of its path, started_at, ends_at (the
last instant of its window), `taken` (its steps), last_step, finished_at, and when each step was taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from models.funnel.definition import FunnelDefinition


@dataclass(frozen=True)
class Layout:
    """Which columns the rows of one funnel have."""

    definition: FunnelDefinition

    @property
    def indexes(self) -> range:
        """The steps, counted from 1."""
        return range(1, len(self.definition.steps) + 1)

    @property
    def is_split_into_paths(self) -> bool:
        """Whether a subject's events make a path for each value of the breakdown, not one that is labelled later."""
        return self.definition.attribution in ("all_events", "step")

    @property
    def stream_keys(self) -> tuple[str, ...]:
        """Whose events follow each other: with 'all_events' only those of the same group exist for a path."""
        return ("subject_id", "breakdown") if self.definition.attribution == "all_events" else ("subject_id",)

    @property
    def keys(self) -> tuple[str, ...]:
        """What the events of one path have in common."""
        split = ("breakdown",) if self.is_split_into_paths else ()
        return ("subject_id", *split, *(("held",) if self.definition.held else ()))

    @property
    def step_columns(self) -> tuple[str, ...]:
        """When each step was taken."""
        return tuple(map(step_column, self.indexes))


def step_column(index: int) -> str:
    """When the step was taken; null where it was not."""
    return f"step_{index}_at"


def bit(index: int) -> int:
    """The step as a set of its own."""
    return 1 << (index - 1)


def bits(indexes: Iterable[int]) -> int:
    """The steps as a set."""
    return sum(map(bit, indexes))


def listed(names: Iterable[str], table: str | None = None) -> str:
    """Columns as the text of a select."""
    return ", ".join(f"{table}.{name}" if table else name for name in names)


def same(names: Iterable[str], left: str, right: str) -> str:
    """The condition that two rows agree in the columns."""
    return " and ".join(f"{left}.{name} = {right}.{name}" for name in names)
