"""Stickiness: in how many intervals of a period subjects are active."""

from models.questions import QuestionKind
from models.stickiness.question import StickinessNumber, StickinessQuestion, StickinessRow
from models.stickiness.statement import build

KIND = QuestionKind(
    name="stickiness",
    summary="In how many days, weeks or months of a period people are active.",
    question=StickinessQuestion,
    row=StickinessRow,
    number=StickinessNumber,
    build=build,
)

__all__ = ["KIND", "StickinessNumber", "StickinessQuestion", "StickinessRow"]
