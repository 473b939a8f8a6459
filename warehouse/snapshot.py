"""A snapshot of the warehouse on a DuckDB cursor: read only, with a time limit."""

import threading
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from warehouse.errors import BadSql, QueryTimeout
from warehouse.one_id.worlds import World, imagined
from warehouse.project import Project
from warehouse.reader import EventProperty, OwnedName
from warehouse.statements import read_statement
from warehouse.watermark import Watermark, read_watermark

_ROWS_AT_A_TIME = 256
_EVENT_PROPERTIES = """
select
    property_columns.name,
    property_columns.type,
    list_filter(list(distinct misfits.name order by misfits.name), lambda name: name is not null) as misfit_names
from store.property_columns as property_columns
left join store.misfits as misfits
    on lower(property_columns.name) = lower(misfits.name)
group by property_columns.name, property_columns.type
order by property_columns.name
"""


@dataclass(frozen=True)
class SeenNames:
    """Names that have come, as far as somebody asked: looked for once, and then known to all snapshots."""

    events: set[str] = field(default_factory=set)
    properties: set[OwnedName] = field(default_factory=set)


@dataclass(frozen=True)
class LimitedRows:
    """Rows of an analyst's statement; `is_cut` when there were more than the limit."""

    table: pa.Table
    is_cut: bool


class DuckDBSnapshot:
    """`Snapshot` over a cursor inside a read-only transaction."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        timeout_s: float,
        project: Project,
        version: int = 0,
        seen: SeenNames | None = None,
    ) -> None:
        self.version = version
        """Grows with every commit of this process, also of those that leave the watermark as it is."""
        self._seen = seen or SeenNames()
        self._cursor = cursor
        self._timeout_s = timeout_s
        self._project = project

    @contextmanager
    def imagined(self, world: World) -> Iterator[None]:
        """While the block runs, this snapshot shows another world: as of a moment, or after acts not done yet."""
        with imagined(self._cursor, self._project, world):
            yield

    @property
    def watermark(self) -> str:
        """How much of the log this snapshot holds, as `stream:file:offset`, streams in order."""
        rows = self._cursor.execute('select stream, file, "offset" from store.watermark order by stream').fetchall()
        return " ".join(f"{stream}:{file}:{offset}" for stream, file, offset in rows)

    def query(self, sql: str) -> pa.Table:
        """Run one SELECT that this program built. Raises `QueryTimeout`."""
        with self._limited():
            return self._cursor.sql(sql).to_arrow_table()

    def query_limited(self, sql: str, max_rows: int, max_bytes: int = 64 << 20) -> LimitedRows:
        """Run one SELECT that somebody wrote. Raises `BadSql` and `QueryTimeout`."""
        statement = only_select(sql)
        with self._limited():
            reader = self._cursor.sql(statement).to_arrow_reader(_ROWS_AT_A_TIME)
            batches, row_count, byte_count = list[pa.RecordBatch](), 0, 0
            for batch in reader:
                row_count, byte_count = row_count + batch.num_rows, byte_count + batch.nbytes
                if byte_count > max_bytes and batches:
                    break
                batches.append(batch)
                if row_count > max_rows:
                    break
            table = pa.Table.from_batches(batches, reader.schema)
        return LimitedRows(table.slice(0, max_rows), row_count > max_rows or byte_count > max_bytes)

    def event_properties(self) -> list[EventProperty]:
        """The properties that have a column, by name."""
        return read_event_properties(self._cursor)

    def unseen_events(self, names: Set[str]) -> frozenset[str]:
        """Those of `names` that no event has had so far, in this world or the present one."""
        if not names <= self._seen.events:
            rows = self._cursor.execute("select distinct event_name from store.events").fetchall()
            self._seen.events.update(name for (name,) in rows)
        return frozenset(names - self._seen.events)

    def unseen_properties(self, names: Set[OwnedName]) -> frozenset[OwnedName]:
        """Those of `names` that no call has ever set, in this world or the present one."""
        if not names <= self._seen.properties:
            self._seen.properties.update(self._cursor.execute(read_statement("seen_properties")).fetchall())
        return frozenset(names - self._seen.properties)

    def seen_properties(self, owner: str) -> frozenset[str]:
        """The properties that calls have ever set of persons, or of accounts of one type, in the present world."""
        rows = self._cursor.execute(read_statement("seen_properties")).fetchall()
        return frozenset(name for target, name in rows if target == owner)

    def rejects(
        self, limit: int, reason: str | None = None, event_name: str | None = None, protocol: str | None = None
    ) -> pa.Table:
        """What was refused, newest first; of one reason, event name or protocol, or of all."""
        wanted = {"reason": reason, "event_name": event_name, "protocol": protocol}
        with self._limited():
            return self._cursor.sql(read_statement("rejects"), params={**wanted, "limit": limit}).to_arrow_table()

    def reject_summary(
        self, reason: str | None = None, event_name: str | None = None, protocol: str | None = None
    ) -> pa.Table:
        """What was refused, in kinds: how many of each reason, protocol and event name, and when."""
        wanted = {"reason": reason, "event_name": event_name, "protocol": protocol}
        with self._limited():
            return self._cursor.sql(read_statement("reject_summary"), params=wanted).to_arrow_table()

    def marks(self) -> Watermark:
        """The watermark, stream by stream."""
        return read_watermark(self._cursor)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        timer = threading.Timer(self._timeout_s, self._cursor.interrupt)
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise self._timeout() from error
        except (duckdb.Error, OSError, pa.ArrowException) as error:  # what fails while rows stream comes as Arrow's
            if "interrupt" in str(error).lower():
                raise self._timeout() from error
            raise BadSql(str(error)) from error
        finally:
            timer.cancel()

    def _timeout(self) -> QueryTimeout:
        return QueryTimeout(
            f"stopped after {self._timeout_s:g} seconds: ask for less, or raise ONEPATH_WAREHOUSE__QUERY_TIMEOUT_S"
        )


def only_select(sql: str) -> str:
    """The one SELECT in `sql`; raises `BadSql` for anything else."""
    try:
        statements = duckdb.extract_statements(sql)
    except (duckdb.Error, TypeError, UnicodeError) as error:
        raise BadSql(str(error)) from error
    if len(statements) != 1:
        raise BadSql(f"{len(statements)} statements; send one SELECT")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise BadSql(f"a {statements[0].type.name} statement; only SELECT can be run here")
    return str(statements[0].query)


def read_event_properties(connection: duckdb.DuckDBPyConnection) -> list[EventProperty]:
    """The properties that have a column, by name; objects are kept as JSON text."""
    rows = connection.execute(_EVENT_PROPERTIES).fetchall()
    return [EventProperty(name, "text" if kind == "object" else kind, tuple(names)) for name, kind, names in rows]
