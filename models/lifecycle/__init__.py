"""Lifecycle: who is new, returning, resurrecting and dormant in each interval."""

from models.lifecycle.question import LifecycleNumber, LifecycleQuestion, LifecycleRow
from models.lifecycle.statement import build
from models.questions import QuestionKind

KIND = QuestionKind(
    name="lifecycle",
    summary="Who is new, returns, comes back after a pause or has stopped, interval by interval.",
    question=LifecycleQuestion,
    row=LifecycleRow,
    number=LifecycleNumber,
    build=build,
)

__all__ = ["KIND", "LifecycleNumber", "LifecycleQuestion", "LifecycleRow"]
