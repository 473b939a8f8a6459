"""One account: what it is, who is and was in it, and how much counts for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.errors import QuestionError
from models.sql import render, select
from models.subjects import Subject
from warehouse.reader import Snapshot

MAX_MEMBERS = 1000

_ACCOUNT = """
select account_type, account_id, name, first_seen_at, last_seen_at, person_count, merged_into, properties
from accounts
where account_type = $account_type and account_id = $account_id
"""

_EVENT_COUNT = """
select count(*) as event_count
from account_events
where account_type = $account_type and account_id = $account_id
"""

_MEMBER_COUNTS = """
select count(*) as membership_count, count(distinct person_id) as member_count
from memberships
where account_type = $account_type and account_id = $account_id
"""

_MEMBERS = """
select
    cast(member.person_id as varchar) as person_id,
    member.joined_at,
    member.left_at
from memberships as member
where member.account_type = $account_type and member.account_id = $account_id
order by member.joined_at, member.person_id
limit $limit
"""


@dataclass(frozen=True)
class Membership:
    """One person's time in the account, in UTC; `left_at` is null where it has no end."""

    person_id: str
    joined_at: datetime
    left_at: datetime | None


@dataclass(frozen=True)
class AccountAnswer:
    """An account as it stands.

    `person_count` are members whose membership has no end, `member_count` all who ever were one; `memberships` are the
    oldest of all `membership_count`. `properties` is a JSON object.
    """

    watermark: str
    account_type: str
    account_id: str
    name: str | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    person_count: int
    merged_into: str | None
    properties: str | None
    event_count: int
    member_count: int
    membership_count: int
    memberships: tuple[Membership, ...]


def answer_account(account_type: str, account_id: str, limit: int, snapshot: Snapshot) -> AccountAnswer:
    """Look one account up, with at most `limit` memberships; raises QuestionError for one that was never seen."""
    named = {"account_type": account_type, "account_id": account_id}
    found: list[dict[str, Any]] = snapshot.query(render({}, select(_ACCOUNT, **named))).to_pylist()
    if not found:
        Subject("account", account_type).require_known(snapshot)
        raise QuestionError(f"No account of the type {account_type!r} has the id {account_id!r}.")
    [events] = snapshot.query(render({}, select(_EVENT_COUNT, **named))).to_pylist()
    [counts] = snapshot.query(render({}, select(_MEMBER_COUNTS, **named))).to_pylist()
    members = snapshot.query(render({}, select(_MEMBERS, **named, limit=limit))).to_pylist()
    memberships = tuple(Membership(**row) for row in members)
    return AccountAnswer(snapshot.watermark, **found[0], **events, **counts, memberships=memberships)
