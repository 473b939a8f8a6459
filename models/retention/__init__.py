"""Retention: of those who started in an hour, day, week or month, who came back in the periods after it."""

from models.questions import QuestionKind
from models.retention.question import (
    RetentionInterval,
    RetentionMode,
    RetentionNumber,
    RetentionQuestion,
    RetentionRow,
    RetentionValue,
)
from models.retention.statement import build

KIND = QuestionKind(
    name="retention",
    summary="Of those who started in one period, how many come back in the periods after it.",
    question=RetentionQuestion,
    row=RetentionRow,
    number=RetentionNumber,
    build=build,
)

__all__ = [
    "KIND",
    "RetentionInterval",
    "RetentionMode",
    "RetentionNumber",
    "RetentionQuestion",
    "RetentionRow",
    "RetentionValue",
]
