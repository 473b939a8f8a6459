"""Funnel cases: steps, trends and times to convert, as our three questions; steps there are counted from 0."""

from collections import defaultdict
from typing import Any

from models.breakdown import Breakdown, BreakdownProperty
from models.funnel import (
    FUNNEL,
    FUNNEL_TREND,
    TIME_TO_CONVERT,
    Exclusion,
    FunnelNumber,
    FunnelQuestion,
    FunnelStep,
    FunnelTrendQuestion,
    TimeToConvertQuestion,
)
from tests.conformance.cases import SHORTEST_S, Asked, Case, entity, filters, named, subject_of
from tests.stories import Json

Group = tuple[str, ...]

OCCURRENCES: dict[str | None, Any] = {None: "all", "matching": "first_time", "ever": "first_ever"}


def answer(asked: Asked) -> dict[str, Any]:
    """What the case's report says, for each group where it has a breakdown."""
    case = asked.case
    report = {"steps": _steps, "trend": _trend, "time_to_convert": _time_to_convert}[case.query.get("report", "steps")]
    by_group = report(asked)
    if not case.query.get("breakdown"):
        return by_group.get((), {})
    limit = case.query["breakdown"].get("limit")
    groups = [{"value": [asked.name(text) for text in group], **said} for group, said in by_group.items()]
    return {"breakdowns": groups, "breakdown_values": sorted(each["value"] for each in groups), "limit": limit}


def _steps(asked: Asked) -> dict[Group, Json]:
    question = FunnelQuestion(**_definition(asked.case))
    by_group: dict[Group, list[Any]] = defaultdict(list)
    for row in asked.ask(FUNNEL, question).rows:
        by_group[_shown(row.breakdown)].append(row)
    said = {}
    for group, rows in by_group.items():
        people = {
            str(row.step_index - 1): asked.people(
                FUNNEL, question, FunnelNumber(row.step_index, breakdown=group if group != ("Other",) else "other")
            )
            for row in rows
        }
        assert [row.subject_count for row in rows] == [len(found) for found in people.values()]
        said[group] = {
            "counts": [row.subject_count for row in rows],
            "actors": people,
            "average_seconds": {str(row.step_index - 1): row.average_time_from_previous_s for row in rows},
            "median_seconds": {str(row.step_index - 1): row.median_time_from_previous_s for row in rows},
        }
    return said


def _trend(asked: Asked) -> dict[Group, Json]:
    query = asked.case.query
    question = FunnelTrendQuestion(**_definition(asked.case), **_measured(query), interval=query["interval"])
    by_group: dict[Group, list[Json]] = defaultdict(list)
    form = "%Y-%m-%dT%H:00" if query["interval"] == "hour" else "%Y-%m-%d"
    for row in asked.ask(FUNNEL_TREND, question).rows:
        by_group[_shown(row.breakdown)].append(
            {
                "start": row.interval_start.strftime(form),
                "from_count": row.from_count,
                "to_count": row.to_count,
                "rate": round(100 * (row.conversion_rate or 0), 2),
            }
        )
    return {group: {"trend": rows, "rates": [row["rate"] for row in rows]} for group, rows in by_group.items()}


def _time_to_convert(asked: Asked) -> dict[Group, Json]:
    query = asked.case.query
    question = TimeToConvertQuestion(**_definition(asked.case), **_measured(query), bins=query.get("bins"))
    rows = asked.ask(TIME_TO_CONVERT, question).rows
    bins = [[row.bin_start_s, row.subject_count] for row in rows]
    return {(): {"time_to_convert": {"average_seconds": rows[0].average_s if rows else None, "bins": bins}}}


def _definition(case: Case) -> dict[str, Any]:
    query = case.query
    breakdown = query.get("breakdown") or {}
    at_step = breakdown.get("step", 0) + 1 if breakdown.get("attribution") == "step" else None
    return {
        "steps": tuple(_step(each, query, place) for place, each in enumerate(query["steps"])),
        "order": query.get("order", "ordered"),
        "conversion_window_s": max(query["window_seconds"], SHORTEST_S),
        "exclusions": tuple(_exclusion(each, query) for each in query.get("exclusions", ())),
        "period": case.period,
        "where": filters(query.get("where")),
        "breakdown": Breakdown(tuple(map(_by, breakdown["by"])), breakdown.get("limit")) if breakdown else None,
        "attribution": breakdown.get("attribution", "first_touch"),
        "attribution_step": at_step,
        **subject_of(case),
    }


def _step(neutral: Json, query: Json, place: int) -> FunnelStep:
    may_skip = query.get("order") != "unordered" and place > 0  # nowhere else does it change anything there
    optional = may_skip and neutral.get("optional", False)
    return FunnelStep(entity(neutral), optional=optional, occurrence=OCCURRENCES[neutral.get("first_time")])


def _exclusion(neutral: Json, query: Json) -> Exclusion:
    if query.get("order") == "unordered":
        return Exclusion(entity(neutral))
    return Exclusion(entity(neutral), neutral["from_step"] + 1, neutral["to_step"] + 1)


def _by(neutral: Json) -> BreakdownProperty:
    name, owner = named(neutral)
    return BreakdownProperty(name, of=owner)


def _measured(query: Json) -> Json:
    given = {name: query.get(name) for name in ("from_step", "to_step")}
    return {name: index + 1 for name, index in given.items() if index is not None}


def _shown(breakdown: Any) -> Group:
    return ("Other",) if breakdown is None else tuple(breakdown)
