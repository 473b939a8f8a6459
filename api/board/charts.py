"""Where things stand in the pictures: geometry only; the templates draw it, so every text is escaped in one place.

Across, all is in percent of the picture's width, so it fits a phone without shrinking its letters; down, in pixels.
"""

from dataclasses import dataclass
from datetime import date

from api.board.triangle import Cohort
from models.asking import Answer
from models.sales_path import SalesPathRow

PATH_ROW_PX = 50
DIGIT_PX = 10
GAP_PX = 12
HEAT_ROW_PX = 40
HEAT_HEAD_PX = 26
LABEL_WIDTH = 19.0
"""Percent of the heat map's width for the cohort's date, before the columns."""
SIZE_WIDTH = 11.0
"""Percent of the heat map's width for the cohort's size."""
SIZE_GAP = 2.5
LEAST_BAR_WIDTH = 0.5
LEVELS = 10


@dataclass(frozen=True)
class PathBar:
    """One stage's bar; what is reached but not entered was skipped. Widths in percent of the picture."""

    stage: SalesPathRow
    top_px: int
    reached_width: float
    entered_width: float


@dataclass(frozen=True)
class PathPicture:
    """The bars of a sales path, one below the other."""

    bars: tuple[PathBar, ...]
    count_px: int
    """Room for the largest count, at the right."""
    height_px: int


@dataclass(frozen=True)
class HeatCell:
    """One retention rate; `level` 0..9 and `opacity` 0..1 say how dark. `left` in percent of the picture."""

    left: float
    rate: float | None
    level: int
    opacity: float
    is_finished: bool


@dataclass(frozen=True)
class HeatRow:
    """One cohort."""

    cohort_date: date
    cohort_size: int
    top_px: int
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class HeatMap:
    """Retention as a triangle: the cohort's own column, which is always full, gives way to its size."""

    rows: tuple[HeatRow, ...]
    columns: tuple[float, ...]
    """Left edges, in percent."""
    cell_width: float
    size_right: float
    """Where the sizes end, in percent."""
    row_px: int
    height_px: int


def draw_path(answer: Answer) -> PathPicture:
    """A bar for each stage, as long as its share of everyone on the path."""
    subject_count = answer.rows[0].reached
    bars = tuple(
        PathBar(
            stage=stage,
            top_px=position * PATH_ROW_PX,
            reached_width=_bar_width(stage.reached, subject_count),
            entered_width=_bar_width(stage.entered, subject_count),
        )
        for position, stage in enumerate(answer.rows)
    )
    return PathPicture(
        bars=bars,
        count_px=GAP_PX + DIGIT_PX * len(f"{subject_count:,}"),
        height_px=len(bars) * PATH_ROW_PX,
    )


def draw_heat_map(cohorts: tuple[Cohort, ...], periods: int) -> HeatMap:
    """A row for each cohort, oldest first, and a column for each of the `periods` units after it."""
    cell_width = (100 - LABEL_WIDTH - SIZE_WIDTH) / max(periods, 1)
    columns = tuple(round(LABEL_WIDTH + SIZE_WIDTH + each * cell_width, 3) for each in range(periods))
    rows = tuple(
        HeatRow(
            cohort_date=cohort.start_date,
            cohort_size=cohort.size,
            top_px=HEAT_HEAD_PX + position * HEAT_ROW_PX,
            cells=_draw_cells(cohort, columns),
        )
        for position, cohort in enumerate(cohorts)
    )
    return HeatMap(
        rows=rows,
        columns=columns,
        cell_width=round(cell_width, 3),
        size_right=LABEL_WIDTH + SIZE_WIDTH - SIZE_GAP,
        row_px=HEAT_ROW_PX,
        height_px=HEAT_HEAD_PX + len(rows) * HEAT_ROW_PX,
    )


def _draw_cells(cohort: Cohort, columns: tuple[float, ...]) -> tuple[HeatCell, ...]:
    return tuple(
        HeatCell(
            left=left,
            rate=cell.retention_rate,
            level=min(int((cell.retention_rate or 0) * LEVELS), LEVELS - 1),
            opacity=round(0.05 + 0.95 * (cell.retention_rate or 0), 3),
            is_finished=cell.is_finished,
        )
        for left, cell in zip(columns, cohort.cells[1:], strict=False)
    )


def _bar_width(count: int, whole: int) -> float:
    if not count:
        return 0.0
    return round(max(100 * count / whole, LEAST_BAR_WIDTH), 3)
