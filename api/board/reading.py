"""What the page shows, read in one snapshot by the models that answer the API and the command line."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from api.routes.endpoints import ServerParts, calendar_of
from api.routes.questions import answer_project_path
from models.asking import Answer, ask
from models.errors import QuestionError
from models.retention import KIND as RETENTION
from models.retention import RetentionQuestion
from warehouse.errors import BadSql, QueryTimeout
from warehouse.snapshot import DuckDBSnapshot

RETENTION_QUESTION = RetentionQuestion(interval="week", periods=8, mode="first_time")


@dataclass(frozen=True)
class Unanswered:
    """Stands where an answer would; the reason is a sentence for people."""

    reason: str


@dataclass(frozen=True)
class BoardNumbers:
    """Everything on the page, of one moment. `as_of` is the newest arrival loaded, None when nothing ever arrived."""

    watermark: str
    as_of: datetime | None
    message_counts: Mapping[str, int]
    """Messages that arrived, by outcome as in the view `arrivals`: event, call, duplicate, rejected."""
    persons: Answer | Unanswered
    accounts: Answer | Unanswered
    retention: Answer | Unanswered


def read_numbers(server: ServerParts) -> BoardNumbers:
    """Ask all questions of one snapshot; one that cannot be answered does not keep the others from it."""
    settings = server.settings
    calendar = calendar_of(settings)
    with server.warehouse.snapshot() as snapshot:
        return BoardNumbers(
            watermark=snapshot.watermark,
            as_of=_newest_arrival(snapshot),
            message_counts=_message_counts(snapshot),
            persons=_answered(lambda: answer_project_path("person", settings, calendar, snapshot)),
            accounts=_answered(lambda: answer_project_path("account", settings, calendar, snapshot)),
            retention=_answered(lambda: ask(RETENTION, RETENTION_QUESTION, snapshot, calendar)),
        )


def _answered(answer: Callable[[], Answer]) -> Answer | Unanswered:
    try:
        return answer()
    except (QuestionError, BadSql, QueryTimeout) as error:
        return Unanswered(str(error))


def _newest_arrival(snapshot: DuckDBSnapshot) -> datetime | None:
    arrivals_us = [mark.received_at_us for mark in snapshot.marks().values()]
    return datetime.fromtimestamp(max(arrivals_us) / 1_000_000, UTC) if arrivals_us else None


def _message_counts(snapshot: DuckDBSnapshot) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for row in snapshot.query("select * from arrivals order by all").to_pylist():
        counts[row["outcome"]] += row["message_count"]
    return counts
