"""The tracking plans of a project: operators' acts in the log, each in force from a moment on until the next.

A plan is chosen by when a record arrived, never by when it is loaded, so that a rebuild judges as the first load did.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ingest.plan.history import AppliedPlans, PlanHistory, plan_of
from ingest.plan.plan import SET_PLAN, Plan
from warehouse.reader import Snapshot

if TYPE_CHECKING:
    import duckdb

__all__ = ["AppliedPlans", "PlanHistory", "PlanInForce", "plan_in_force", "plan_of", "read_applied_plans"]

_LATEST_PLAN = f"""
select received_at, operator, details, log_order from acts where act = '{SET_PLAN}' order by log_order desc limit 1
"""


@dataclass(frozen=True)
class PlanInForce:
    """The plan that was applied last, and how it came; `log_order` is its place in the log."""

    plan: Plan
    applied_at: datetime
    operator: str
    file_name: str
    sha256: str
    log_order: str


def read_applied_plans(connection: "duckdb.DuckDBPyConnection") -> AppliedPlans:
    """All plans that were ever applied, oldest first: a stream that comes late is judged by the plan of its time."""
    statement = "select epoch_us(received_at), details from store.acts where act = ? order by log_order"
    return connection.execute(statement, [SET_PLAN]).fetchall()


def plan_in_force(snapshot: Snapshot) -> PlanInForce | None:
    """The plan that a snapshot of the warehouse knows last; None when there was none."""
    rows = snapshot.query(_LATEST_PLAN).to_pylist()
    if not rows:
        return None
    details = json.loads(rows[0]["details"])
    return PlanInForce(
        plan=plan_of(details),
        applied_at=rows[0]["received_at"],
        operator=rows[0]["operator"],
        file_name=str(details.get("file_name", "")),
        sha256=str(details.get("sha256", "")),
        log_order=rows[0]["log_order"],
    )
