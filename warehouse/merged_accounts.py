"""Accounts that operators have merged: which account counts for which, as their acts say, in the order of the log."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from ingest.account_acts import MERGE_ACCOUNTS, UNMERGE_ACCOUNTS

MERGED = {"account_type": pa.string(), "account_id": pa.string(), "into_id": pa.string()}

AccountKey = tuple[str, str]
"""Account type and account id."""


def stored_merged(connection: duckdb.DuckDBPyConnection) -> dict[AccountKey, str]:
    """The merged accounts that the tables hold, with the one each counts for."""
    found = connection.execute("select account_type, account_id, into_id from store.merged_accounts").fetchall()
    return {(account_type, account_id): into_id for account_type, account_id, into_id in found}


def read_merged(connection: duckdb.DuckDBPyConnection, acts_table: str = "store.acts") -> dict[AccountKey, str]:
    """The merged accounts that all acts come to, with the one each counts for."""
    statement = f"select act, details from {acts_table} where act in (?, ?) order by log_order"
    acts = connection.execute(statement, [MERGE_ACCOUNTS, UNMERGE_ACCOUNTS]).fetchall()
    return fold_merges((act, json.loads(details)) for act, details in acts)


def fold_merges(acts: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[AccountKey, str]:
    """Which account counts for which after these acts, oldest first.

    An account counts for one other, the one named last. A merge that would lead back to the account itself is void.
    """
    into = dict[AccountKey, str]()
    for act, details in acts:
        account = (details["account_type"], details["account_id"])
        if act == UNMERGE_ACCOUNTS:
            into.pop(account, None)
        elif _end_of((account[0], details["into_id"]), into) != account:
            into[account] = details["into_id"]
    return {account: _end_of(account, into)[1] for account in into}


def _end_of(account: AccountKey, into: Mapping[AccountKey, str]) -> AccountKey:
    while account in into:
        account = (account[0], into[account])
    return account
