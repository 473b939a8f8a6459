"""Cases about the lifecycle as our question: created is whoever carries the property created_at."""

from typing import Any

from models.filters import PropertyFilter, PropertyOf
from models.lifecycle import KIND, LifecycleQuestion
from tests.conformance.cases import Asked, account_type_of, entity, filters, is_group_key, subject_of


def answer(asked: Asked) -> dict[str, Any]:
    """One number per interval and status; those who are dormant are counted below zero."""
    case = asked.case
    rows = asked.ask(KIND, _question(asked)).rows
    return {
        "starts": [_label(row.interval_start.isoformat(), case.query["interval"]) for row in rows],
        "new": [row.new_count for row in rows],
        "returning": [row.returning_count for row in rows],
        "resurrecting": [row.resurrecting_count for row in rows],
        "dormant": [-row.dormant_count for row in rows],
    }


def _question(asked: Asked) -> LifecycleQuestion:
    case = asked.case
    subject, created = subject_of(case), PropertyOf("created_at", of="person")
    where = filters(case.query.get("where"))
    if is_group_key(subject.get("by_property")):  # the account itself holds when it was created
        where = (*where, PropertyFilter(subject["by_property"], "is_not_empty"))  # as the event itself names it
        account_type = account_type_of(subject["by_property"])
        subject = {"by": "account", "account_type": account_type}
        created = PropertyOf("created_at", of="account", account_type=account_type)
    return LifecycleQuestion(
        any_of=entity(case.query["entity"]),
        interval=case.query["interval"],
        created_by="property",
        created_property=created,
        period=case.period,
        where=where,
        **subject,
    )


def _label(start: str, interval: str) -> str:
    return start[:16] if interval == "hour" else start[:10]
