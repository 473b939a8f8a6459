"""Latecomers: messages loaded out of their turn, and their resends that were accepted meanwhile.

The copy that came first is the event, as in a rebuild: an accepted later copy gives way and counts as the duplicate.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.duplicates import Content
from warehouse.frames import registered, table_of
from warehouse.memberships import forget_displaced
from warehouse.statements import read_statement

_ORDERS = {"log_order": pa.string()}
_CONTENTS = {"content_hash": pa.string(), "occurrence": pa.uint32(), "received_at_us": pa.int64()}

ContentsOf = Callable[[list[str]], dict[str, Content]]
"""Reads from the log what the messages at these places (texts of log_order) hold."""


class _Copy(NamedTuple):
    """An accepted message: where it stands in the log, and when it arrived."""

    log_order: str
    received_at_us: int


@dataclass(frozen=True)
class Judged:
    """Rows that came before, accepted resends that give way, and what is to be remembered of keyless contents."""

    duplicates: set[int]
    displaced: list[str]
    new_contents: list[tuple[Content, int]]
    old_contents: list[tuple[Content, int]]


def judge_latecomers(
    connection: duckdb.DuckDBPyConnection, messages: pa.Table, window_us: int, contents_of: ContentsOf
) -> Judged:
    """Judge the registered view `messages` against everything accepted, whenever that was loaded."""
    if not messages.num_rows:
        return Judged(set(), [], [], [])
    keyed_duplicates, keyed_displaced = _judge_keyed(connection, messages)
    judged = _judge_keyless(connection, messages, window_us, contents_of)
    return Judged(
        judged.duplicates | keyed_duplicates,
        sorted({*judged.displaced, *keyed_displaced}),
        judged.new_contents,
        judged.old_contents,
    )


def _judge_keyed(connection: duckdb.DuckDBPyConnection, messages: pa.Table) -> tuple[set[int], list[str]]:
    duplicates = {row for (row,) in connection.execute(read_statement("load/keyed_duplicates")).fetchall()}
    displaced = dict[str, int]()
    first = {"first_received_at": pc.min(messages["received_at"]).as_py()}
    for row, log_order in connection.execute(read_statement("replay/keyed_resends"), first).fetchall():
        displaced.setdefault(log_order, row)  # the first of the batch takes its place; the others stay duplicates
    return duplicates - set(displaced.values()), list(displaced)


def _judge_keyless(
    connection: duckdb.DuckDBPyConnection, messages: pa.Table, window_us: int, contents_of: ContentsOf
) -> Judged:
    span = {
        "window_us": window_us,
        "first_received_at": pc.min(messages["received_at"]).as_py() - timedelta(microseconds=window_us),
        "last_received_at": pc.max(messages["received_at"]).as_py() + timedelta(microseconds=window_us),
    }
    candidates = connection.execute(read_statement("replay/equal_candidates"), span).fetchall()
    accepted: dict[Content, list[_Copy]] = defaultdict(list)
    for log_order, content in contents_of([order for (order,) in candidates]).items():
        accepted[content].append(_Copy(log_order, _arrival_us(log_order)))
    judged = Judged(set(), [], [], [])
    keyless = messages.select(["row", "log_order", "content_hash", "occurrence"])
    for row, log_order, content_hash, occurrence in zip(*(c.to_pylist() for c in keyless.columns), strict=True):
        if content_hash is None:
            continue
        content = (content_hash, occurrence)
        copy = _Copy(log_order, _arrival_us(log_order))
        near = [each for each in accepted[content] if abs(each.received_at_us - copy.received_at_us) <= window_us]
        if any(each < copy for each in near):
            judged.duplicates.add(row)
            continue
        judged.displaced.extend(each.log_order for each in near)
        judged.old_contents.extend((content, each.received_at_us) for each in near)
        judged.new_contents.append((content, copy.received_at_us))
        accepted[content] = [copy, *(each for each in accepted[content] if each not in near)]
    return judged


def _arrival_us(log_order: str) -> int:
    return int(log_order.partition("/")[0])


def forget_displaced_keys(connection: duckdb.DuckDBPyConnection, judged: Judged) -> None:
    """Before the latecomers are stored: free the keys that they take over."""
    with registered(connection, "displaced", _orders(judged.displaced)):
        connection.execute(read_statement("replay/forget_keys"))


def remove_displaced(connection: duckdb.DuckDBPyConnection, judged: Judged, timezone: str) -> None:
    """After the latecomers are stored: their accepted resends go, and count as duplicates."""
    with registered(connection, "displaced", _orders(judged.displaced)):
        connection.execute(read_statement("replay/touch_resends"), {"timezone": timezone})
        connection.execute(read_statement("replay/touch_resent_accounts"), {"timezone": timezone})
        withdrawn = connection.sql(read_statement("replay/withdraw_resends")).to_arrow_table()
        withdraw(connection, withdrawn)
        with registered(connection, "withdrawn", withdrawn):
            connection.execute(read_statement("replay/count_resends"))
        for table in ("events", "calls"):
            connection.execute(f"delete from store.{table} where log_order in (select log_order from displaced)")
        forget_displaced(connection, timezone)


def withdraw(connection: duckdb.DuckDBPyConnection, withdrawn: pa.Table) -> None:
    """Take back what `arrivals` counted."""
    with registered(connection, "withdrawn", withdrawn):
        connection.execute(read_statement("replay/reduce_arrivals"))
        connection.execute("delete from store.arrivals where message_count = 0")


def remember_contents(connection: duckdb.DuckDBPyConnection, judged: Judged, window_us: int) -> None:
    """Keep the memory of recent keyless contents as if the latecomers had come in their turn."""
    with registered(connection, "old_contents", _contents(judged.old_contents)):
        connection.execute(
            "delete from store.recent_contents using old_contents where recent_contents.received_at_us = "
            "old_contents.received_at_us and recent_contents.occurrence = old_contents.occurrence "
            "and recent_contents.content_hash = cast(old_contents.content_hash as uuid)"
        )
    with registered(connection, "new_contents", _contents(judged.new_contents)):
        connection.execute(
            "insert into store.recent_contents by name select * from new_contents where received_at_us >= "
            "(select max(received_at_us) - ? from store.watermark)",
            [window_us],
        )


def _orders(orders: Iterable[str]) -> pa.Table:
    return table_of([(order,) for order in orders], _ORDERS)


def _contents(contents: list[tuple[Content, int]]) -> pa.Table:
    return table_of([(str(UUID(bytes=content[0])), content[1], at) for content, at in contents], _CONTENTS)
