"""Intervals: how long it takes from one event to another."""

from models.interval.question import IntervalNumber, IntervalQuestion, IntervalRow, Pairing, PairSide
from models.interval.statement import build_interval
from models.questions import QuestionKind

KIND = QuestionKind(
    name="interval",
    summary="How long it takes from one event to another: quantiles, average, and how many pairs.",
    question=IntervalQuestion,
    row=IntervalRow,
    number=IntervalNumber,
    build=build_interval,
)

__all__ = ["KIND", "IntervalNumber", "IntervalQuestion", "IntervalRow", "PairSide", "Pairing"]
