"""The kinds of question there are, by the name they have in paths, commands and documents."""

from typing import Any

from models import (
    distribution,
    funnel,
    interval,
    lifecycle,
    paths,
    retention,
    sales_path,
    sequences,
    sessions,
    stickiness,
    trend,
)
from models.errors import QuestionError, close_names
from models.questions import Question, QuestionKind

KINDS: tuple[QuestionKind[Any], ...] = (
    trend.KIND,
    retention.KIND,
    lifecycle.KIND,
    stickiness.KIND,
    distribution.KIND,
    interval.KIND,
    paths.KIND,
    sessions.KIND,
    *sequences.KINDS,
    funnel.FUNNEL,
    funnel.FUNNEL_TREND,
    funnel.TIME_TO_CONVERT,
    sales_path.KIND,
)
KIND_OF = {kind.name: kind for kind in KINDS}


def kind_named(name: str) -> QuestionKind[Any]:
    """The kind of that name; raises QuestionError with the names there are."""
    if name not in KIND_OF:
        close = close_names(name, KIND_OF)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are {', '.join(KIND_OF)}."
        raise QuestionError(f"There is no question {name!r}: {hint}")
    return KIND_OF[name]


def kind_of(question: Question) -> QuestionKind[Any]:
    """The kind that a question is of."""
    return next(kind for kind in KINDS if type(question) is kind.question)
