"""The plans that were ever applied, and which of them judges a record.

A plan is chosen by when a record arrived, never by when it is read, so that a rebuild and the live view judge as the
first load did.
"""

import json
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ingest.plan.judge import Judge
from ingest.plan.plan import FORCE_DELAY_US, Plan
from ingest.plan.reading import read_plan

AppliedPlans = Sequence[tuple[int, str]]
"""When each plan was applied (microseconds since 1970 UTC) and the details of its act as JSON, oldest first."""


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
