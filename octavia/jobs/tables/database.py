"""The database, SQLite or PostgreSQL: transactions, reads, one clock for all processes, one set of errors."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from threading import Event
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import SQLModel

from octavia.errors import InputError, Unavailable
from octavia.jobs.tables import writes
from octavia.jobs.tables.engine import CLOCK, ONLY_IF_ASKED, READING, WAIT_SECONDS, create_engine
from octavia.jobs.tables.failures import Contended, outdated, translated, unavailable
from octavia.jobs.tables.pooling import Pooling, is_direct, pooling
from octavia.jobs.tables.records import Outgoing
from octavia.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_DATABASE: Final = "octavia_database"
_ON_COMMIT: Final = "octavia_on_commit"
_DISPOSALS: Final = "octavia_disposals_before"
_RETRY_PAUSES: Final = (0.01, 0.05, 0.2, 0.5)


class Database:
    """A SQLite or PostgreSQL database; threads may share it, forked processes may not.

    Parameters:
      url: ``sqlite:///path`` or ``postgresql+psycopg://…``; the latter may lead to PgBouncer, in any mode that keeps
        transactions together.
      direct_url: The same PostgreSQL past such a pooler, for ``LISTEN``; empty takes ``url``.
      pool_size: Connections kept open; twice as many may be in use at once.
      retention_days: How long the files of a job are kept after its end.
      wait_seconds: Longest wait for a free connection, and for SQLite's write lock.

    Attributes:
      retention: The retention as a time span.
      outbox_wakeup: Set after a commit that added messages to send at once. The relay of this process waits for it and
        clears it.
      post: Publishes messages that a transaction of this process has leased, once it has committed. None while no
        thread of this process publishes.

    Raises:
      InputError: ``invalid_setting``: the URL names no supported database, or its driver is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        direct_url: str = "",
        pool_size: int = 5,
        retention_days: float = 7.0,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        try:
            self.url = sa.make_url(url)
            self.listen_url = sa.make_url(direct_url or url)
            if self.listen_url.get_backend_name() != self.url.get_backend_name():
                raise sa.exc.ArgumentError
            self.engine = create_engine(
                self.url,
                wait_seconds=wait_seconds,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=wait_seconds,
            )
        except (sa.exc.ArgumentError, ImportError) as error:
            # SQLAlchemy's own words may quote the URL, password included.
            reason = f"{error.name} is not installed" if isinstance(error, ImportError) else "it is not supported"
            raise InputError(
                f"The database URL cannot be used: {reason}.",
                code="invalid_setting",
                hint="Set OCTAVIA_DATABASE_URL to sqlite:///PATH or to postgresql+psycopg://… (the latter needs "
                "pip install 'octavia[postgres]'), and OCTAVIA_DATABASE_DIRECT_URL, if at all, to the same kind.",
            ) from None
        self.retention = timedelta(days=retention_days)
        self.outbox_wakeup = Event()
        self.post: Callable[[Sequence[Outgoing]], None] | None = None
        self._closed = False
        self._disposals = 0
        self._pooling: Pooling | None = None
        if self.url.get_backend_name() != "sqlite":
            event.listen(self.engine, "connect", self._note_pooling)
        event.listen(self.engine, "connect", self._note_opened)
        event.listen(self.engine, "checkin", self._close_if_stale)
        self._writers = sessionmaker(self.engine, expire_on_commit=False, info={_DATABASE: self})
        writes.listen(self._writers)
        event.listen(self._writers, "after_soft_rollback", _forget_calls)
        self._readers = sessionmaker(self.engine.execution_options(**{READING: True}), expire_on_commit=False)

    @classmethod
    def of(cls, settings: Settings, *, pool_size: int = 5) -> Self:
        """Open the database of the settings."""
        return cls(
            settings.database,
            direct_url=settings.database_direct_url,
            pool_size=pool_size,
            retention_days=settings.retention_days,
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session that commits when the block ends and rolls back when the block raises.

        On SQLite the first statement takes the write lock, so that no later one can fail for lack of it.

        Raises ``Unavailable``: ``database_unavailable``, or ``database_outdated`` if tables are missing.
        """
        with translated(), self._writers() as session:
            with session.begin():
                yield session
            for call in session.info.pop(_ON_COMMIT, ()):
                call()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that only reads; changes in it are lost. Raises ``Unavailable`` as ``transaction`` does."""
        with translated(), self._readers() as session:
            yield session

    def upgrade(self) -> None:
        """Create or migrate the tables for this release; several processes may do so at once.

        Raises ``Unavailable`` if the database does not answer, or other clients hold its tables for too long.
        """
        # Imported here, so that using the database does not load Alembic.
        from octavia.jobs.tables import schema

        with translated():
            schema.upgrade(self.url)

    def check(self) -> None:
        """Check that the database answers, accepts writes and has the tables of this release.

        Raises ``Unavailable`` (``database_unavailable`` or ``database_outdated``).
        """
        from octavia.jobs.tables import schema

        with self.reading() as session:
            connection = session.connection()
            missing = schema.outdated(connection)
            writable = connection.dialect.name != "postgresql" or (
                connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "off"
            )
        if missing:
            raise outdated()
        if not writable:
            self._dispose()
            raise unavailable("it can only be read")

    def close(self) -> None:
        """Close idle connections now and the others when returned; the database still works, but keeps none open."""
        self._closed = True
        self._dispose()

    def _dispose(self) -> None:
        self._disposals += 1
        self.engine.dispose()

    def _note_opened(self, _: Any, record: ConnectionPoolEntry) -> None:
        record.info[_DISPOSALS] = self._disposals

    def _note_pooling(self, connection: Any, _: ConnectionPoolEntry) -> None:
        direct = is_direct(connection)
        if direct:
            connection.prepare_threshold = ONLY_IF_ASKED
        if self._pooling is None:
            with suppress(Unavailable):  # the next connection may tell
                self._pooling = Pooling.NONE if direct else pooling(self.engine, self.url)

    def _close_if_stale(self, _: Any, record: ConnectionPoolEntry) -> None:
        # A connection in use during the disposal would return to a pool that nobody uses any more. And one to a pooler
        # by session keeps one of the server's from all other processes, for as long as it is open.
        if self._closed or record.info.get(_DISPOSALS) != self._disposals or self._pooling is Pooling.SESSION:
            record.close()


def now(session: Session) -> datetime:
    """Read the database's clock, the one that all processes share; aware UTC.

    The clock was read as the transaction began; this process adds the seconds since then, waits for locks included.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        # SQLite's clock is this machine's, rounded up to milliseconds: it would be ahead of the next reading.
        return datetime.now(UTC)
    moment: datetime
    moment, read = connection.info[CLOCK]
    return moment + timedelta(seconds=time.monotonic() - read)


def clock(db: Database) -> datetime:
    """Read the database's clock outside any other session. Raises ``Unavailable``."""
    with db.reading() as session:
        return now(session)


def count_changed(session: Session, statement: sa.Update | sa.Delete) -> int:
    """Execute a statement and return the number of rows that it changed."""
    return cast("sa.CursorResult[Any]", session.execute(statement)).rowcount


def insert(session: Session, table: type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
    """Return an ``INSERT`` that can say what to do ``ON CONFLICT``, for this session's database."""
    return (postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert)(table)


def commit_without_flush(session: Session) -> None:
    """Let this transaction commit without waiting for the disk; only a crash of the PostgreSQL server can lose it."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")


def transaction(function: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[Database, P], R]:
    """Decorate a function of a session: callers pass the database, and it runs in a transaction of its own.

    The transaction commits when the function returns and rolls back when it raises. If the database breaks it off
    (deadlock), the function runs again in a new one; so it must change nothing outside its session. Raises
    ``Unavailable`` as ``Database.transaction`` does.
    """

    @wraps(function)
    def call(db: Database, /, *args: P.args, **kwargs: P.kwargs) -> R:
        for pause in _RETRY_PAUSES:
            with suppress(Contended), db.transaction() as session:
                return function(session, *args, **kwargs)
            time.sleep(pause * random.uniform(0.5, 1.5))
        with db.transaction() as session:
            return function(session, *args, **kwargs)

    return call


def on_commit(session: Session, call: Callable[[], object]) -> None:
    """Call something once the session's transaction has committed; if it does not, it is not called."""
    session.info.setdefault(_ON_COMMIT, []).append(call)


def _forget_calls(session: Session, ended: SessionTransaction) -> None:
    if not ended.nested:
        session.info.pop(_ON_COMMIT, None)


def database_of(session: Session) -> Database:
    """Return the database of a transaction's session."""
    return cast("Database", session.info[_DATABASE])
