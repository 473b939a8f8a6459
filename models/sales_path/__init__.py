"""The sales path: when each person or account first entered each stage, how far they came, and what they skipped.

Stages need not be walked in order. What counts is the first entry into each, and the furthest one.
"""

from models.questions import QuestionKind
from models.sales_path.question import SalesPathNumber, SalesPathQuestion, SalesPathRow
from models.sales_path.statement import build_sales_path, build_stage_entries_sql

__all__ = ["KIND", "SalesPathNumber", "SalesPathQuestion", "SalesPathRow", "build_stage_entries_sql"]

KIND = QuestionKind(
    name="sales-path",
    summary="How far persons or accounts came along the stages.",
    question=SalesPathQuestion,
    row=SalesPathRow,
    number=SalesPathNumber,
    build=build_sales_path,
)
