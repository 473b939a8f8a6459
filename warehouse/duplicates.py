"""Duplicates: which messages of a batch came before.

With the sender's key: exact, within the original day of the event. Without one: equal content (its n-th occurrence in a
request compared with the n-th) within a short window of arrival.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from warehouse.statements import read_statement

Content = tuple[bytes, int]  # hash and occurrence


class RecentContents:
    """Keyless messages accepted within the window, by content; memory is bounded by the window's traffic."""

    def __init__(self, window_us: int, accepted: Iterable[tuple[Content, int]] = ()) -> None:
        self._window_us = window_us
        self._accepted_at = dict(accepted)

    @classmethod
    def restore(cls, connection: duckdb.DuckDBPyConnection, window_us: int) -> "RecentContents":
        rows = connection.execute(
            "select content_hash, occurrence, received_at_us from store.recent_contents order by received_at_us"
        ).fetchall()
        return cls(window_us, (((content_hash.bytes, occurrence), at) for content_hash, occurrence, at in rows))

    def is_resend(self, content: Content, received_at_us: int) -> bool:
        """Whether equal content was accepted within the window before; if not, this one is from now on."""
        before = self._accepted_at.get(content)
        if before is not None and 0 <= received_at_us - before <= self._window_us:
            return True
        self._accepted_at[content] = received_at_us
        return False

    def store(self, connection: duckdb.DuckDBPyConnection, new: list[tuple[Content, int]], now_us: int) -> None:
        """Write what `is_resend` accepted, and forget what has left the window before `now_us`."""
        horizon = now_us - self._window_us
        self._accepted_at = {content: at for content, at in self._accepted_at.items() if at >= horizon}
        connection.execute("delete from store.recent_contents where received_at_us < ?", [horizon])
        rows = pa.table(
            {
                "content_hash": pa.ExtensionArray.from_storage(
                    pa.uuid(), pa.array([content[0] for content, _ in new], pa.binary(16))
                ),
                "occurrence": pa.array([content[1] for content, _ in new], pa.uint32()),
                "received_at_us": pa.array([at for _, at in new], pa.int64()),
            }
        )
        connection.register("new_contents", rows)
        connection.execute(
            "insert into store.recent_contents by name select * from new_contents where received_at_us >= ?", [horizon]
        )
        connection.unregister("new_contents")


def find_duplicates(
    connection: duckdb.DuckDBPyConnection, messages: pa.Table, recent: RecentContents
) -> tuple[set[int], list[tuple[Content, int]]]:
    """Rows of the registered view `messages` that came before, and the keyless contents that are new."""
    duplicates = {row for (row,) in connection.execute(read_statement("load/keyed_duplicates")).fetchall()}
    new_contents = list[tuple[Content, int]]()
    keyless = messages.select(["row", "content_hash", "occurrence", "received_at_us"])
    keyless = keyless.filter(keyless["content_hash"].is_valid())
    for row, content_hash, occurrence, received_at_us in zip(*(c.to_pylist() for c in keyless.columns), strict=True):
        content = (content_hash, occurrence)
        if recent.is_resend(content, received_at_us):
            duplicates.add(row)
        else:
            new_contents.append((content, received_at_us))
    return duplicates, new_contents
