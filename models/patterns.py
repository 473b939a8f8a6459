"""Regular expressions of a question, tried before it is asked: only the engine can say what is one."""

from models.errors import QuestionError
from models.filters import PropertyFilter
from models.questions import Question, parts_of
from models.sql import DIALECT, fragment, values_table
from warehouse.reader import Snapshot

_PATTERN_OPS = ("matches", "not_matches")


def require_patterns(question: Question, snapshot: Snapshot) -> None:
    """Raise QuestionError for a `matches` whose value is no regular expression."""
    filters = {str(each.value): each for each in parts_of(question, PropertyFilter) if each.op in _PATTERN_OPS}
    if not filters:
        return
    patterns = values_table("patterns", ["pattern"], [(pattern,) for pattern in filters])
    wrong = patterns.where(fragment("try(regexp_matches('', pattern)) is null"), copy=False)
    for pattern in snapshot.query(wrong.sql(dialect=DIALECT))["pattern"].to_pylist():
        each = filters[pattern]
        raise QuestionError(
            f"{each.op!r} on {each.property!r} takes a regular expression of RE2, without look-around and back "
            f"references: {pattern!r} is none."
        )
