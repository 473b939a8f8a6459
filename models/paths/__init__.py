"""Paths: which event or page follows which, from one end or between two."""

from models.paths.question import NodeLabel, PathsNumber, PathsQuestion, PathsRow
from models.paths.statement import build
from models.questions import QuestionKind

KIND = QuestionKind(
    name="paths",
    summary="What comes after what: the edges between events or pages, step by step, and where paths end.",
    question=PathsQuestion,
    row=PathsRow,
    number=PathsNumber,
    build=build,
)

__all__ = ["KIND", "NodeLabel", "PathsNumber", "PathsQuestion", "PathsRow"]
