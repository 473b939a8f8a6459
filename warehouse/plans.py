"""The tracking plans of a project: operators' acts in the log, each in force from a moment on until the next.

A plan is chosen by when a record arrived, never by when it is loaded, so that a rebuild judges as the first load did.
"""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ingest.plan.judge import Judge
from ingest.plan.plan import FORCE_DELAY_US, SET_PLAN, Plan
from ingest.plan.reading import read_plan
from warehouse.reader import Snapshot

if TYPE_CHECKING:
    import duckdb

AppliedPlans = Sequence[tuple[int, str]]
"""When each plan was applied (microseconds since 1970 UTC) and the details of its act as JSON, oldest first."""

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


class PlanHistory:
    """Which plan judges a record; `add` takes a plan that the log brings while it is read."""

    def __init__(self, applied: AppliedPlans) -> None:
        self._applied = list(applied)
        self._forget()

    def add(self, applied_at_us: int, details: dict[str, Any]) -> None:
        """From now on the plan of this act is known too."""
        self._applied.append((applied_at_us, json.dumps(details, sort_keys=True)))
        self._applied.sort(key=lambda each: each[0])
        self._forget()

    def judge_at(self, received_at_us: int) -> Judge | None:
        """The judge of what arrived then; None while there was no plan."""
        if not self._start_us <= received_at_us < self._end_us:
            self._turn_to(received_at_us)
        return self._judge

    def latest(self) -> Judge | None:
        """The judge by the plan that was applied last."""
        return _judge_of(self._applied[-1][1]) if self._applied else None

    def _forget(self) -> None:
        self._start_us, self._end_us = 0, 0
        self._judge: Judge | None = None

    def _turn_to(self, received_at_us: int) -> None:
        starts = [applied_at_us + FORCE_DELAY_US for applied_at_us, _ in self._applied]
        place = bisect_right(starts, received_at_us)
        self._start_us = starts[place - 1] if place else -(1 << 62)
        self._end_us = starts[place] if place < len(starts) else 1 << 62
        self._judge = _judge_of(self._applied[place - 1][1]) if place else None


@lru_cache(maxsize=8)
def _judge_of(details: str) -> Judge:
    return Judge(plan_of(json.loads(details)))


def plan_of(details: dict[str, Any]) -> Plan:
    """The plan in the details of an act; raises `PlanError`."""
    return read_plan(details.get("plan"), str(details.get("file_name") or "plan"))


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
