"""Acts of operators about accounts: who is a member, which accounts are one, what an account is called.

Each act has its form; `check_account_act` says what is wrong with the details of one that does not keep it.
"""

from typing import Any

import msgspec

ADD_MEMBER, END_MEMBER = "add_member", "end_member"
MERGE_ACCOUNTS, UNMERGE_ACCOUNTS, RENAME_ACCOUNT = "merge_accounts", "unmerge_accounts", "rename_account"

_EARLIEST_US, _LATEST_US = -62_000_000_000_000_000, 250_000_000_000_000_000


class MemberDetails(msgspec.Struct, forbid_unknown_fields=True):
    """`add_member` and `end_member`: the person of an identity is in the account from then on, or no longer.

    `at_us` is microseconds since 1970 UTC; without it, when the act came.
    """

    identity_key: str
    identity_value: str
    account_type: str
    account_id: str
    at_us: int | None = None


class MergeDetails(msgspec.Struct, forbid_unknown_fields=True):
    """`merge_accounts`: all that ever named the account counts for `into_id`, of the same type."""

    account_type: str
    account_id: str
    into_id: str


class UnmergeDetails(msgspec.Struct, forbid_unknown_fields=True):
    """`unmerge_accounts`: the account counts for itself again."""

    account_type: str
    account_id: str


class RenameDetails(msgspec.Struct, forbid_unknown_fields=True):
    """`rename_account`: how the account is shown; an empty name takes the given one away. Its id stays."""

    account_type: str
    account_id: str
    name: str


ACCOUNT_ACTS: dict[str, type[msgspec.Struct]] = {
    ADD_MEMBER: MemberDetails,
    END_MEMBER: MemberDetails,
    MERGE_ACCOUNTS: MergeDetails,
    UNMERGE_ACCOUNTS: UnmergeDetails,
    RENAME_ACCOUNT: RenameDetails,
}


def check_account_act(act: str, details: dict[str, Any]) -> str | None:
    """What is wrong with the details of an account act, in words; None when they keep its form, and for other acts."""
    if act not in ACCOUNT_ACTS:
        return None
    try:
        read = msgspec.convert(details, ACCOUNT_ACTS[act])
    except msgspec.ValidationError as error:
        return str(error)
    for name, value in msgspec.structs.asdict(read).items():
        if value == "" and name != "name":
            return f"{name} is empty"
    if isinstance(read, MergeDetails) and read.account_id == read.into_id:
        return f"{read.account_type} {read.account_id!r} is to be merged into itself; name another one"
    if isinstance(read, MemberDetails) and read.at_us is not None and not _EARLIEST_US < read.at_us < _LATEST_US:
        return f"at_us is {read.at_us}, no time of this calendar in microseconds since 1970"
    return None
