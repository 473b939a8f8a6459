"""Cases about ClickHouse's sequence functions, asked as our questions; each user's result is from the people lists."""

from typing import Any

from models.matching import EventMatch, Step
from models.questions import QuestionKind
from models.sequences import (
    SEQUENCE_COUNT,
    SEQUENCE_MATCH,
    SEQUENCE_NEXT_NODE,
    SEQUENCE_RETENTION,
    WINDOW_FUNNEL,
    SequenceCountNumber,
    SequenceCountQuestion,
    SequenceMatchNumber,
    SequenceMatchQuestion,
    SequenceNextNodeNumber,
    SequenceNextNodeQuestion,
    SequenceRetentionNumber,
    SequenceRetentionQuestion,
    WindowFunnelNumber,
    WindowFunnelQuestion,
)
from tests.conformance.cases import SHORTEST_S, Asked, filters


def answer(asked: Asked) -> dict[str, Any]:
    """The function's result by user; of retention, its sums too."""
    query = asked.case.query
    conditions = tuple(Step((EventMatch(None, filters(each)),)) for each in query["conditions"])
    match query["function"]:
        case "window_funnel":
            funnel = WindowFunnelQuestion(
                conditions=conditions, window_s=max(query["window"], SHORTEST_S), modes=_modes(query)
            )
            return {"by_user": _by_user(asked, WINDOW_FUNNEL, funnel, "level", WindowFunnelNumber)}
        case "retention":
            return _retention(asked, SequenceRetentionQuestion(conditions=conditions))
        case "sequence_match":
            matched = SequenceMatchQuestion(conditions=conditions, pattern=query["pattern"])
            found = _by_user(asked, SEQUENCE_MATCH, matched, "is_matched", SequenceMatchNumber)
            return {"by_user": {user: int(is_matched) for user, is_matched in found.items()}}
        case "sequence_count":
            counted = SequenceCountQuestion(conditions=conditions, pattern=query["pattern"])
            return {"by_user": _by_user(asked, SEQUENCE_COUNT, counted, "match_count", SequenceCountNumber)}
    chain = SequenceNextNodeQuestion(
        conditions=conditions,
        direction=query["direction"],
        base=query["base"],
        base_where=filters(query.get("base_where")),
    )
    users = dict.fromkeys(str(event["user"]) for event in asked.case.events)
    return {"by_user": {**users, **_by_user(asked, SEQUENCE_NEXT_NODE, chain, "next_node", SequenceNextNodeNumber)}}


def _modes(query: dict[str, Any]) -> tuple[Any, ...]:
    """Beside a strict mode, growing times are there those after the latest event of the condition before.

    What changes nothing there is left out, where we refuse it or heed it.
    """
    modes = tuple(query.get("modes", ()))
    if not {"strict_order", "strict_deduplication"} & set(modes):
        return tuple(mode for mode in modes if mode != "allow_reentry")
    modes = tuple(mode for mode in modes if mode != "strict_once")
    return (*modes, "latest_only") if "strict_increase" in modes else modes


def _by_user(asked: Asked, kind: QuestionKind[Any], question: Any, name: str, number: type[Any]) -> dict[str, Any]:
    results = [getattr(row, name) for row in asked.ask(kind, question).rows]
    return {
        user: result
        for result in results
        if result is not None
        for user in asked.people(kind, question, number(**{name: result}))
    }


def _retention(asked: Asked, question: SequenceRetentionQuestion) -> dict[str, Any]:
    rows = asked.ask(SEQUENCE_RETENTION, question).rows
    met = [asked.people(SEQUENCE_RETENTION, question, SequenceRetentionNumber(row.condition)) for row in rows]
    users = {str(event["user"]) for event in asked.case.events}
    by_user = {user: [int(user in each) for each in met] for user in users}
    return {"by_user": by_user, "sums": [row.subject_count for row in rows]}
