"""What the tests of accounts tell: group messages, operators' acts, and stories that arrive on the 10th of November."""

from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.account_acts import MERGE_ACCOUNTS, RENAME_ACCOUNT, UNMERGE_ACCOUNTS
from ingest.record import Act, Request
from tests.stories import NOON, Json, StoryLog, contents, load_story, us
from warehouse.warehouse import Warehouse


def day(number: int) -> datetime:
    """Noon of a day of November in Shanghai."""
    return NOON.replace(day=number)


def group(who: dict[str, str], account_id: str | None, at: datetime, **properties: Any) -> Json:
    """A native group message."""
    return {
        "record_type": "group",
        "identities": who,
        "account_id": account_id,
        "event_at": at.isoformat(),
        "properties": properties,
    }


def member(act: str, who: dict[str, str], account_type: str, account_id: str, at: datetime | None = None) -> Act:
    """An operator says that a person is in an account, or no longer."""
    [(key, value)] = who.items()
    named = {"account_type": account_type, "account_id": account_id}
    moment = {} if at is None else {"at_us": us(at)}
    return Act(act, "head office", {"identity_key": key, "identity_value": value, **named, **moment})


def merge(account_id: str, into_id: str, account_type: str = "account") -> Act:
    details = {"account_type": account_type, "account_id": account_id, "into_id": into_id}
    return Act(MERGE_ACCOUNTS, "head office", details)


def unmerge(account_id: str, account_type: str = "account") -> Act:
    return Act(UNMERGE_ACCOUNTS, "head office", {"account_type": account_type, "account_id": account_id})


def rename(account_id: str, name: str) -> Act:
    return Act(RENAME_ACCOUNT, "head office", {"account_type": "account", "account_id": account_id, "name": name})


def told(folder: Path, *entries: Request | Act) -> Warehouse:
    """A fresh warehouse of a story that arrives on the 10th."""
    log = StoryLog(folder)
    log.tell(*entries, start_us=us(day(10)))
    return load_story(log)


def told_either_way(folder: Path, *entries: Request | Act) -> Warehouse:
    """The story loaded in one go; it must be the same record by record."""
    log = StoryLog(folder)
    log.tell(*entries, start_us=us(day(10)))
    warehouse = load_story(log)
    assert contents(load_story(log, load_max_bytes=1)) == contents(warehouse)
    return warehouse
