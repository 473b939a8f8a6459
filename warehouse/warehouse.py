"""The warehouse file: one DuckDB database per project, one owner.

DuckDB lets one process open a file that is written to. That process has one writer connection, guarded here, and a
cursor per snapshot for readers.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from warehouse.errors import WarehouseInUse, WriteFailed, WrongSalt
from warehouse.migrations import migrate
from warehouse.one_id.acts import read_rules_history
from warehouse.project import Project
from warehouse.settings import WarehouseSettings
from warehouse.snapshot import DuckDBSnapshot, SeenNames
from warehouse.statements import (
    list_attribution_views,
    list_statements,
    list_views,
    read_statement,
    view_name,
    with_literals,
)

IN_MEMORY = ":memory:"


class Warehouse:
    """Owns the file of one project. `write` gives the writer's connection to one caller at a time."""

    def __init__(self, path: Path | str, project: Project, settings: WarehouseSettings) -> None:
        self.project = project
        self.settings = settings
        self._connection = _connect(path, settings)
        self._write_lock = threading.RLock()
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        self._commit_count = 0
        self._seen = SeenNames()
        with self.write() as connection:
            migrate(connection)
            _check_salt(connection, project)
            create_views(connection, project)
        self._connection.execute("set lock_configuration = true")

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction of the one writer: committed at the end, undone when the block raises."""
        with self._write_lock:
            self._connection.begin()
            try:
                yield self._connection
                self._connection.commit()
                self._commit_count += 1
            except duckdb.Error as error:
                self._undo()
                raise WriteFailed(str(error)) from error
            except BaseException:
                self._undo()
                raise

    @contextmanager
    def snapshot(self, timeout_s: float | None = None) -> Iterator[DuckDBSnapshot]:
        """The warehouse as it stands now; each statement asked of it may take `timeout_s` (default: the setting)."""
        cursor = self._connection.cursor()
        self._cursors.add(cursor)
        # Counted before the snapshot is taken: what it shows may be newer than its version says, never older.
        version = self._commit_count
        try:
            cursor.execute("begin transaction read only")
            yield DuckDBSnapshot(cursor, timeout_s or self.settings.query_timeout_s, self.project, version, self._seen)
        finally:
            self._cursors.discard(cursor)
            cursor.close()

    def _undo(self) -> None:
        # DuckDB has undone it already when the failure was its own.
        with contextlib.suppress(duckdb.TransactionException):
            self._connection.rollback()

    def checkpoint(self) -> None:
        """Fold the write-ahead file into the database file."""
        with self._write_lock:
            self._connection.execute("checkpoint")

    def close(self) -> None:
        """Close the file; statements still running are interrupted."""
        for cursor in tuple(self._cursors):
            cursor.interrupt()
        with self._write_lock:
            self._connection.close()


def _check_salt(connection: duckdb.DuckDBPyConnection, project: Project) -> None:
    # Another salt would give the same persons other ids from here on.
    mark = hashlib.sha256(b"onepath salt\0" + project.salt.encode()).hexdigest()[:16]
    rows = connection.execute("select value from store.settings where name = 'salt_mark'").fetchall()
    if not rows:
        connection.execute("insert into store.settings values ('salt_mark', ?)", [mark])
    elif rows[0][0] != mark:
        raise WrongSalt(
            "this warehouse was loaded with another salt; bring back its onepath.toml, or move the warehouse file away "
            "to have it rebuilt from the log with other person ids"
        )


def create_views(connection: duckdb.DuckDBPyConnection, project: Project) -> None:
    """Make the public views, in the project's time zone, with history as the rules that were set last have it.

    Where they stand as they would be made, they are left: binding them anew takes longer than opening the file.
    """
    attributions = list_attribution_views(read_rules_history(connection).latest().history)
    views = list_views()
    mark = _mark_of([project.timezone, *list_statements("migrations"), *map(read_statement, (*attributions, *views))])
    if _mark_in(connection) == mark:
        return
    for name in attributions:
        connection.execute(f"create or replace view store.{view_name(name)} as {read_statement(name)}")
    for name in views:
        connection.execute(with_literals(read_statement(name), {"timezone": project.timezone}))
    # Whoever makes the views anew, as an earlier version does without a mark, takes the comment away.
    connection.execute(f"comment on view events is '{mark}'")


def _mark_of(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _mark_in(connection: duckdb.DuckDBPyConnection) -> str | None:
    statement = "select comment from duckdb_views() where schema_name = 'main' and view_name = 'events'"
    rows = connection.execute(statement).fetchall()
    return rows[0][0] if rows else None


def _connect(path: Path | str, settings: WarehouseSettings) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": f"{settings.memory_limit_mb}MB",
        "threads": str(settings.threads),
        "preserve_insertion_order": "true",
    }
    try:
        return duckdb.connect(str(path), config=config)
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise WarehouseInUse(f"{path} is open in another process; ask that one, or stop it") from error
        raise
