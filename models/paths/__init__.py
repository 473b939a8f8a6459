"""Paths: which event or page follows which, from one end or between two."""

from models.paths.question import NodeLabel, PathNumber, PathRow, PathsQuestion
from models.paths.statement import build
from models.questions import QuestionKind

KIND = QuestionKind(
    name="paths",
    summary="What comes after what: the edges between events or pages, step by step, and where paths end.",
    question=PathsQuestion,
    row=PathRow,
    number=PathNumber,
    build=build,
)

__all__ = ["KIND", "NodeLabel", "PathNumber", "PathRow", "PathsQuestion"]
