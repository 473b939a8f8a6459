"""What a rebuild refuses again: messages that came back under a mended plan, judged by the one in force when they came.

Sending them through again, as the operator did, shows whether anything else differs.
"""

from collections.abc import Iterator
from typing import get_args

from api.services.refreshing import refresh_project
from api.settings import Settings
from ingest.plan.judge import ViolationReason
from warehouse.load import Loader
from warehouse.replay import RejectChoice, replay_rejects
from warehouse.warehouse import Warehouse

Refused = dict[str, tuple[str, str | None, str]]
"""Reason, event name and detail of what a plan refused, by its place in the log."""

_REASONS = ", ".join(f"'{reason}'" for reason in get_args(ViolationReason))
_REFUSED = f"select log_order, reason, event_name, detail from rejects where reason in ({_REASONS})"


def refused_again(old: Warehouse, fresh: Warehouse) -> Refused:
    """What a plan refused in the fresh warehouse, and not, or not for that, in the old one."""
    before = _refused_by_plan(old)
    return {order: why for order, why in _refused_by_plan(fresh).items() if before.get(order) != why}


def send_through_again(fresh: Warehouse, settings: Settings, refused: Refused) -> None:
    """Replay rejects of those kinds in the fresh warehouse, by the plan in force today."""
    loader = Loader(fresh, settings.log_folder, settings.decode)
    for reason, event_name in sorted({(why[0], why[1] or "") for why in refused.values()}):
        replay_rejects(fresh, loader, RejectChoice(reason, event_name or None))
    refresh_project(fresh, settings)


def _refused_by_plan(warehouse: Warehouse) -> Refused:
    return {order: (reason, name, detail) for order, reason, name, detail in _rows(warehouse)}


def _rows(warehouse: Warehouse) -> Iterator[tuple[str, str, str | None, str]]:
    with warehouse.snapshot() as snapshot:
        for row in snapshot.query(_REFUSED).to_pylist():
            yield row["log_order"], row["reason"], row["event_name"], row["detail"]
