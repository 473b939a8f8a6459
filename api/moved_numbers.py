"""What an act about identity would move: who changes person, and what people ask, before and after. Nothing is done."""

from dataclasses import dataclass
from typing import Any

from models.calendar import Calendar
from models.matching import Stage
from models.world_numbers import ComparedNumber, ask_numbers, compare_numbers
from warehouse.one_id.moved import Moved, what_moved
from warehouse.one_id.worlds import World
from warehouse.snapshot import DuckDBSnapshot


@dataclass(frozen=True)
class Foreseen:
    """What would move, and the numbers that people look at first, before and after."""

    moved: Moved
    numbers: tuple[ComparedNumber, ...]


def foresee(
    snapshot: DuckDBSnapshot, act: str, details: dict[str, Any], stages: tuple[Stage, ...], calendar: Calendar
) -> Foreseen:
    """Ask the warehouse as it stands, and as it would stand after the act."""
    world = World(also=((act, details),))
    before = ask_numbers(snapshot, stages, calendar)
    moved = what_moved(snapshot, world)
    with snapshot.imagined(world):
        after = ask_numbers(snapshot, stages, calendar)
    return Foreseen(moved, compare_numbers(before, after))
