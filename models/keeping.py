"""Answers that are kept: the same question of the same data is answered once.

An answer is kept under all that it depends on, the version of the data first, and carries the watermark it was read at;
so none can be older than the watermark it prints.
"""

from collections import OrderedDict
from threading import Lock
from typing import Any

from models.asking import Answer, ask
from models.calendar import Calendar
from models.columns import Absent
from models.filters import AGES, PropertyFilter
from models.questions import QuestionKind, QuestionT, parts_of
from warehouse.reader import Snapshot

Key = tuple[Any, ...]


class KeptAnswers:
    """The answers asked for last, at most `max_answers` and `max_rows` rows of them."""

    def __init__(self, max_answers: int = 256, max_rows: int = 200_000) -> None:
        self._max_answers, self._max_rows = max_answers, max_rows
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._row_count = 0
        self._lock = Lock()

    def ask(
        self,
        kind: QuestionKind[QuestionT],
        question: QuestionT,
        snapshot: Snapshot,
        calendar: Calendar,
        absent: Absent = "refuse",
        *,
        version: object,
    ) -> Answer:
        """The answer, kept or new. `version` is equal only for snapshots of equal contents."""
        # Told apart by what they print: to Python 1, 1.0 and True are the same key, to a filter they are not.
        key = (kind.name, repr(question), calendar, absent, version, snapshot.watermark)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        answer = ask(kind, question, snapshot, calendar, absent)
        if not _depends_on_the_clock(question):
            self._keep(key, answer)
        return answer

    def _keep(self, key: Key, answer: Answer) -> None:
        with self._lock:
            self._row_count += len(answer.rows) - len(self._answers[key].rows if key in self._answers else ())
            self._answers[key] = answer
            while len(self._answers) > self._max_answers or self._row_count > self._max_rows:
                _, forgotten = self._answers.popitem(last=False)
                self._row_count -= len(forgotten.rows)


def _depends_on_the_clock(question: object) -> bool:
    """Whether the answer changes while the data stays: an age is measured when the question is asked."""
    return any(each.op in AGES and each.age_at == "now" for each in parts_of(question, PropertyFilter))
