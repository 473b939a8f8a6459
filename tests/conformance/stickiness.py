"""Cases about stickiness as our question."""

from typing import Any

from models.stickiness import KIND, StickinessNumber, StickinessQuestion
from tests.conformance.cases import Asked, entity, filters, subject_of


def answer(asked: Asked) -> dict[str, Any]:
    """How many are active in one interval, in two ...; all of them; and who is active in as many as selected."""
    query = asked.case.query
    rows = asked.ask(KIND, _question(asked, cumulative=query.get("cumulative", False))).rows
    at_least = asked.ask(KIND, _question(asked, cumulative=True)).rows
    return {
        "data": [row.subject_count for row in rows],
        "total": at_least[0].subject_count,
        "selected": _selected(asked, query["select"]) if "select" in query else None,
    }


def _selected(asked: Asked, wanted: dict[str, Any]) -> list[str]:
    value = int(wanted["value"])
    if wanted["op"] == "gte":
        return asked.people(KIND, _question(asked, cumulative=True), StickinessNumber(active_intervals=value))
    counts = range(1, value + 1) if wanted["op"] == "lte" else [value]
    exactly = _question(asked, cumulative=False)
    return sorted(
        name for count in counts for name in asked.people(KIND, exactly, StickinessNumber(active_intervals=count))
    )


def _question(asked: Asked, *, cumulative: bool) -> StickinessQuestion:
    query = asked.case.query
    criteria = query.get("criteria", {"op": "gte", "value": 1})
    value = int(criteria["value"])
    return StickinessQuestion(
        any_of=entity(query["entity"]),
        interval=query["interval"],
        interval_count=query.get("interval_count", 1),
        min_occurrences=max(value, 1) if criteria["op"] in ("gte", "eq") else 1,
        max_occurrences=value if criteria["op"] in ("lte", "eq") else None,
        cumulative=cumulative,
        period=asked.case.period,
        where=filters(query.get("where")),
        **subject_of(asked.case),
    )
