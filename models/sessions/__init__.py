"""Sessions: how many, how long, how deep, and how many were a single event."""

from models.questions import QuestionKind
from models.sessions.question import SessionsNumber, SessionsQuestion, SessionsRow
from models.sessions.statement import build

KIND = QuestionKind(
    name="sessions",
    summary="Sessions and who had them: depth, duration, bounces, where they begin and end.",
    question=SessionsQuestion,
    row=SessionsRow,
    number=SessionsNumber,
    build=build,
)

__all__ = ["KIND", "SessionsNumber", "SessionsQuestion", "SessionsRow"]
