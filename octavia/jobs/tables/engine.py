"""Connections: the settings and hooks of SQLite and PostgreSQL that transactions build on."""

import os
import random
import time
from datetime import UTC
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from octavia.jobs.tables.failures import READ_ONLY, STALE_PLAN, sqlite_error, unavailable

READING: Final = "octavia_reading"
"""The execution option of connections that only read."""

WAIT_SECONDS: Final = 10.0
"""Default for the longest wait for a free connection, and for SQLite's write lock."""

PREPARED: Final = "octavia_prepared"
"""The execution option of statements that a server plans once for each connection: they find rows by their keys."""

ONLY_IF_ASKED: Final = 2**31
"""Psycopg's ``prepare_threshold`` of a connection without a pooler, whose statements may be prepared."""

_FILE: Final = "octavia_file"

POSTGRES_ARGUMENTS: Final = {
    "connect_timeout": 5,
    "application_name": "octavia",
    # These options detect a server that vanished; TCP alone would take two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # Behind PgBouncer each transaction may run on another connection of the server. So nothing is kept on one from one
    # transaction to the next: no startup options, no settings of the session, no prepared statements but where
    # ``ONLY_IF_ASKED`` lets them.
    "prepare_threshold": None,
    # The driver begins no transaction of its own: ``_BEGIN`` does.
    "autocommit": True,
}
"""Arguments of every connection to PostgreSQL."""

CLOCK: Final = "octavia_clock"
"""The key in a PostgreSQL connection's ``info`` of the server's time when its transaction began, and of ours then."""


# A frozen process that holds a job's lock would block that job, and all who wait for it, for ever: bound both. In one
# message with BEGIN, so that it costs no time; nor does the clock, which nearly every transaction asks for. Not now(),
# which stands still during a transaction.
_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; "
    "SET LOCAL lock_timeout = '10s'; "
    "SET LOCAL idle_in_transaction_session_timeout = '60s'; "
    "SELECT clock_timestamp()"
)


def create_engine(
    url: sa.URL, *, foreign_keys: bool = True, wait_seconds: float = WAIT_SECONDS, **options: Any
) -> sa.Engine:
    """Create an engine with this project's rules for its kind of database."""
    # Errors are logged; a statement's values may be secrets or speech.
    options["hide_parameters"] = True
    if url.get_backend_name() != "sqlite":
        engine = sa.create_engine(url, connect_args=POSTGRES_ARGUMENTS, **options)
        _keep_long_statements()
        event.listen(engine, "handle_error", _disconnect_when_of_no_use)
        event.listen(engine, "do_execute", _prepare)
        event.listen(engine, "begin", _begin)
        event.listen(engine, "after_cursor_execute", _note_clock)
        return engine
    engine = sa.create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:
        # The driver would begin deferred transactions, and those fail at once when they turn to writing.
        connection.isolation_level = None
        _write_ahead(connection, wait_seconds)
        connection.execute(f"PRAGMA busy_timeout = {round(wait_seconds * 1000)}")
        connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")
        record.info[_FILE] = _identity(url)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.info[_FILE] != _identity(url):
            # The connection would go on writing into a file that nobody will open again.
            connection.invalidate()
            raise unavailable("the file was moved or deleted")
        reading = connection.get_execution_options().get(READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _begin(connection: sa.Connection) -> None:
    """Begin a transaction, over a new connection if the server has closed this one meanwhile."""
    used = CLOCK in connection.info
    try:
        connection.exec_driver_sql(_BEGIN).close()
    except DBAPIError as error:
        # To ask before each transaction whether the server is there would cost as much as to begin it.
        if not (used and error.connection_invalidated):
            raise
        connection.exec_driver_sql(_BEGIN).close()


def _note_clock(connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
    if statement is _BEGIN:
        while cursor.nextset():
            pass
        connection.info[CLOCK] = cursor.fetchone()[0].astimezone(UTC), time.monotonic()


def _keep_long_statements() -> None:
    """Have psycopg keep what it makes of our longest statements, which it would otherwise read anew each time."""
    from psycopg import _queries

    _queries.MAX_CACHED_STATEMENT_LENGTH = 2**16
    _queries.MAX_CACHED_STATEMENT_PARAMS = 500


def _prepare(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    asked = context.execution_options.get(PREPARED, False)
    if asked:
        cursor.execute(statement, parameters, prepare=True)
    return bool(asked)


def _disconnect_when_of_no_use(context: sa.ExceptionContext) -> None:
    """Drop the connection to a server that became a standby, or that prepared statements before a migration."""
    if getattr(context.original_exception, "sqlstate", None) in (READ_ONLY, STALE_PLAN):
        context.is_disconnect = True


def _identity(url: sa.URL) -> tuple[int, int] | None:
    """Device and inode of the file at a SQLite URL's path; None if there is none, or the database is in memory."""
    try:
        found = os.stat(url.database or "")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write_ahead(connection: Any, wait_seconds: float) -> None:
    """Switch a file to write-ahead logging, for good.

    Waiting for it inside SQLite would hold a lock that a process which is creating the tables needs to commit; so this
    retries outside.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite_error():
            if time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.01, 0.1))
        else:
            return
