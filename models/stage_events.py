"""The configured stages as one SELECT, for the marts: every event that enters a stage, with the stage it enters.

Unlike a question's, a configured filter may name a property that no event has carried yet: it finds it missing.
"""

from models.columns import Columns
from models.conditions import matches_any
from models.matching import Stage
from models.sql import render, select, union_all
from warehouse.reader import EventProperty

_EVENTS_OF_STAGE = """
select $index as stage_index, $name as stage_name, event_id, event_at, event_date, person_id, account_id
from events
where $enters
"""


def build_stage_events_sql(stages: tuple[Stage, ...], properties: list[EventProperty]) -> str:
    """One row per event and stage it enters: stage_index (from 1), stage_name, the event, its person and account."""
    columns = Columns(properties, absent="missing")
    selects = [
        select(_EVENTS_OF_STAGE, index=index, name=stage.name, enters=matches_any(stage.any_of, columns))
        for index, stage in enumerate(stages, start=1)
    ]
    return render({"entering_events": union_all(selects)}, select("select * from entering_events"))
