"""Trends: how many events and subjects, and how much of a property, over time."""

from models.questions import QuestionKind
from models.trend.question import (
    Comparison,
    Formula,
    Measure,
    Occurrence,
    Series,
    ShiftUnit,
    TrendNumber,
    TrendQuestion,
    TrendRow,
    columns_of_number,
)
from models.trend.statement import build_trend

KIND = QuestionKind(
    name="trend",
    summary="How many events and subjects, and how much of a property, over time.",
    question=TrendQuestion,
    row=TrendRow,
    number=TrendNumber,
    build=build_trend,
    columns_named=columns_of_number,
)

__all__ = [
    "KIND",
    "Comparison",
    "Formula",
    "Measure",
    "Occurrence",
    "Series",
    "ShiftUnit",
    "TrendNumber",
    "TrendQuestion",
    "TrendRow",
]
