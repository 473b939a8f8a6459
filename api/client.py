"""Asking from Python: a notebook or a script, with the same questions and the same answers as everywhere.

from api.client import Project
from models.funnel import FunnelQuestion, FunnelStep

with Project("onepath-data") as project:
    frame = project.ask(FunnelQuestion((FunnelStep.of("TrialStarted"), FunnelStep.of("OrderPaid"))))
    same = project.ask("funnel", {"steps": [{"any_of": [{"event": each}]} for each in ("TrialStarted", "OrderPaid")]})

A question is one of the types in `models`, or the name of a kind and its fields as they are said in JSON.
"""

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from api.answering import answers
from api.asking import Ask, project_path
from api.settings import settings_to_ask
from models.answers import SqlStatement
from models.kinds import kind_named, kind_of
from models.questions import Question, QuestionKind

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """An answer: its rows as a frame, the watermark of the data, and the SQL that gives the rows."""

    frame: pl.DataFrame
    watermark: str
    sql: tuple[SqlStatement, ...]


class Project:
    """The project of a data folder: asked through its running server, or directly when none runs.

    Raises ApiError where there is no such folder, where another process without a server has it, and (with the server's
    sentence) for a question that cannot be answered; QuestionError for a kind that there is not.
    """

    def __init__(self, data: Path | str | None = None) -> None:
        self._settings = settings_to_ask(Path(data) if data is not None else None)
        self._stack = ExitStack()
        self._ask: Ask | None = None

    def __enter__(self) -> "Project":
        self._ask, _ = self._stack.enter_context(answers(self._settings))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ask = None
        self._stack.close()

    def ask(self, question: Question | str, fields: Json | None = None) -> pl.DataFrame:
        """The answer's rows; their columns are described at the row type of the question's kind."""
        return self.answer(question, fields).frame

    def answer(self, question: Question | str, fields: Json | None = None) -> Said:
        """The answer with its watermark and its SQL."""
        kind, body = _said_in_json(question, fields)
        said = self._post(kind.name, body)
        rows: list[Any] = TypeAdapter(list[kind.row]).validate_python(said["rows"])  # type: ignore[name-defined]  # a type, of this kind
        names = [each.name for each in dataclasses.fields(kind.row)]
        frame = pl.DataFrame(rows, schema=names, infer_schema_length=None)
        return Said(frame, said["watermark"], tuple(SqlStatement(**each) for each in said["sql"]))

    def people(
        self, question: Question | str, of: Any, limit: int = 10_000, *, fields: Json | None = None
    ) -> list[str]:
        """The ids behind a number, at most `limit` of them; `of` is a number of its kind, or one as JSON says it."""
        kind, body = _said_in_json(question, fields)
        number = of if isinstance(of, Mapping) else TypeAdapter(kind.number).dump_python(of, mode="json")
        said = self._post(f"{kind.name}/people", {"question": body, "of": number, "limit": limit})
        subjects: list[str] = said["subjects"]
        return subjects

    def sql(self, statement: str) -> pl.DataFrame:
        """The rows of one SELECT over the public views."""
        said = self._post("sql", {"sql": statement})
        return pl.DataFrame(said["rows"], schema=said["columns"], orient="row", infer_schema_length=None)

    def _post(self, path: str, body: Any) -> Any:
        if self._ask is None:
            raise RuntimeError("ask inside `with Project(...) as project:`, which opens and closes the data")
        return self._ask("POST", project_path(self._settings, path), body).json()


def _said_in_json(question: Question | str, fields: Json | None) -> tuple[QuestionKind[Any], Json]:
    """The kind of a question, and what it asks."""
    if isinstance(question, str):
        return kind_named(question), fields or {}
    kind = kind_of(question)
    body: Json = TypeAdapter(kind.question).dump_python(question, mode="json")
    return kind, body
