"""Cases about paths, asked as our paths."""

from typing import Any

from models.filters import PropertyFilter, PropertyOf
from models.matching import EventMatch
from models.paths import KIND, NodeLabel, PathsQuestion
from models.sessionizing import SessionCut
from tests.conformance.cases import Asked, filters, subject_of
from tests.stories import Json

PAGEVIEW, SCREEN = "$pageview", "$screen"
PAGES = (NodeLabel.of("$current_url", event=PAGEVIEW), NodeLabel.of("$screen_name", event=SCREEN))
INCLUDED = {
    "pageview": EventMatch(PAGEVIEW),
    "screen": EventMatch(SCREEN),
    "custom": EventMatch(None, (PropertyFilter("event_name", "neq", (PAGEVIEW, SCREEN), of="field"),)),
}


def answer(asked: Asked) -> dict[str, Any]:
    """The edges, their names with the step in front."""
    query = asked.case.query
    if {query.get("start"), query.get("end")} & set(query.get("exclude", ())):
        return {"edges": [], "edge_count": 0}  # we refuse to ask for an end that is on no path
    rows = asked.ask(KIND, _question(asked)).rows
    edges = [
        {
            "source": f"{row.step_index}_{row.source}",
            "target": f"{row.step_index + 1}_{row.target}",
            "count": row.path_count,
            "average_seconds": row.average_s,
        }
        for row in rows
        if row.part == "edge"
    ]
    return {"edges": edges, "edge_count": len(edges)}


def _question(asked: Asked) -> PathsQuestion:
    query: Json = asked.case.query
    label = query.get("label")
    return PathsQuestion(
        period=asked.case.period,
        where=filters(query.get("where")),
        **subject_of(asked.case),
        any_of=() if label else tuple(INCLUDED[each] for each in query.get("include", ())),
        labels=(NodeLabel(tuple(map(_part, label))),) if label else PAGES,
        without_trailing_slash=not label,
        groupings=() if label else tuple(query.get("groupings", ())),
        exclude=tuple(query.get("exclude", ())),
        start=query.get("start"),
        end=query.get("end"),
        session=SessionCut(gap_s=query.get("session_gap_seconds", 1800)),
        step_limit=query.get("step_limit", 5),
    )


def _part(name: str) -> PropertyOf:
    return PropertyOf("event_name", of="field") if name == "event" else PropertyOf(name)
