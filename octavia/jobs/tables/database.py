"""One database, SQLite or PostgreSQL, behind two context managers, one clock and one set of errors."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from threading import Event
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from octavia.errors import InputError, Unavailable
from octavia.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

_READING: Final = "octavia_reading"
_CLOCK: Final = "octavia_clock"
_DATABASE: Final = "octavia_database"
_FILE: Final = "octavia_file"
_BEFORE: Final = "octavia_disposals_before"
_WAIT_SECONDS: Final = 10.0
_RETRY_PAUSES: Final = (0.01, 0.05, 0.2, 0.5)

# PostgreSQL's classes for connections, resources, an operator who steps in, and the machine below it.
_AWAY: Final = ("08", "53", "57", "58")
_READ_ONLY: Final = "25006"
# A lock that is not to be had, a transaction that idled, and a standby that may not be written: a failover, most often.
_NOT_NOW: Final = ("55P03", "25P03", _READ_ONLY)

# A frozen process that holds a job's lock would hold up that job for ever, and whoever waits for it: bound both.
# The socket options find a server that vanished without a word before TCP's own two hours are over.
POSTGRES_ARGUMENTS: Final = {
    "connect_timeout": 5,
    "application_name": "octavia",
    "options": "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class Contended(Unavailable):
    """The database broke off a transaction in favour of another one; the same again may work at once."""

    code = "database_unavailable"


class Database:
    """The database behind a URL; safe to share between threads, not across a fork.

    Parameters:
      url: ``sqlite:///path`` or ``postgresql+psycopg://…``.
      pool_size: Connections kept; as many more are opened when needed.
      retention_days: How long the files of a job are kept after its end.
      wait_seconds: Longest wait for a free connection, and for SQLite's write lock.

    Attributes:
      retention: As a time span.
      outbox_wakeup: Set after a commit that added messages to send at once. The relay of this process waits for it and
        clears it.

    Raises:
      InputError: ``invalid_setting``: it is no URL of a database, or the package for it is not installed.
    """

    def __init__(
        self, url: str, *, pool_size: int = 5, retention_days: float = 7.0, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        try:
            self.url = sa.make_url(url)
            self.engine = create_engine(
                self.url,
                wait_seconds=wait_seconds,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=wait_seconds,
            )
        except (sa.exc.ArgumentError, ImportError) as error:
            # SQLAlchemy's own words may quote the URL, password included.
            reason = f"{error.name} is not installed" if isinstance(error, ImportError) else "it is none that we know"
            raise InputError(
                f"The database URL cannot be used: {reason}.",
                code="invalid_setting",
                hint="Mend OCTAVIA_DATABASE_URL: postgresql+psycopg://…, for which pip install 'octavia[postgres]', "
                "or sqlite:///PATH.",
            ) from None
        self.retention = timedelta(days=retention_days)
        self.outbox_wakeup = Event()
        self._closed = False
        self._disposals = 0
        event.listen(self.engine, "connect", self._opened)
        event.listen(self.engine, "checkin", self._put_back)
        self._writers = sessionmaker(self.engine, expire_on_commit=False, info={_DATABASE: self})
        self._readers = sessionmaker(self.engine.execution_options(**{_READING: True}), expire_on_commit=False)

    @classmethod
    def of(cls, settings: Settings, *, pool_size: int = 5) -> Self:
        """The database of the settings.

        Raises:
          InputError: As for the constructor.
        """
        return cls(settings.database, pool_size=pool_size, retention_days=settings.retention_days)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits when its block ends normally and rolls back when it raises.

        On SQLite its first statement takes the one write lock, so that it never fails halfway for want of it.

        Raises:
          Unavailable: ``database_unavailable``, or ``database_outdated`` where the tables are missing.
        """
        with _failures(), self._writers() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session to read with; what it would change is not kept.

        Raises:
          Unavailable: As for ``transaction``.
        """
        with _failures(), self._readers() as session:
            yield session

    def upgrade(self) -> None:
        """Create or migrate the tables to what this release needs; two processes may do so at once.

        Raises:
          Unavailable: The database does not answer, or others hold its tables for too long.
        """
        # Only here: who merely uses the database need not load Alembic.
        from octavia.jobs.tables import schema

        with _failures():
            schema.upgrade(self)

    def check(self) -> None:
        """Ask whether the database answers, can be written, and has the tables of this release.

        Raises:
          Unavailable: ``database_unavailable`` or ``database_outdated``.
        """
        from octavia.jobs.tables import schema

        with self.reading() as session:
            connection = session.connection()
            outdated = schema.outdated(connection)
            writable = connection.dialect.name != "postgresql" or (
                connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "off"
            )
        if outdated:
            raise _outdated()
        if not writable:
            self._dispose()
            raise unavailable("it can only be read")

    def close(self) -> None:
        """Close every pooled connection, and each that is in use when its block ends; used again, it keeps none."""
        self._closed = True
        self._dispose()

    def _dispose(self) -> None:
        self._disposals += 1
        self.engine.dispose()

    def _opened(self, _: Any, record: ConnectionPoolEntry) -> None:
        record.info[_BEFORE] = self._disposals

    def _put_back(self, _: Any, record: ConnectionPoolEntry) -> None:
        # One that another thread had in hand then, or that an outage held up, goes back to a pool that nobody uses.
        if self._closed or record.info.get(_BEFORE) != self._disposals:
            record.close()


def create_engine(
    url: sa.URL, *, foreign_keys: bool = True, wait_seconds: float = _WAIT_SECONDS, **options: Any
) -> sa.Engine:
    """An engine with this project's rules for its kind of database."""
    # Errors are logged; the values that a statement had may be secrets, or what users have said.
    options["hide_parameters"] = True
    if url.get_backend_name() != "sqlite":
        engine = sa.create_engine(
            url, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args=POSTGRES_ARGUMENTS, **options
        )
        event.listen(engine, "handle_error", _leave_a_standby)
        return engine
    engine = sa.create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:
        # The driver would begin late and deferred, and a deferred transaction that turns writer fails at once.
        connection.isolation_level = None
        _write_ahead(connection, wait_seconds)
        connection.execute(f"PRAGMA busy_timeout = {round(wait_seconds * 1000)}")
        connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")
        record.info[_FILE] = _identity(url)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.info[_FILE] != _identity(url):
            # It would go on writing into what nobody will ever open again.
            connection.invalidate()
            raise unavailable("the file was moved or deleted")
        reading = connection.get_execution_options().get(_READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _leave_a_standby(context: sa.ExceptionContext) -> None:
    """What has become a standby stays one: the next connection may find the server that has taken over."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _identity(url: sa.URL) -> tuple[int, int] | None:
    """Which file there is under a SQLite URL's path now; None: none, or it is in memory."""
    try:
        found = os.stat(url.database or "")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write_ahead(connection: Any, wait_seconds: float) -> None:
    """Have a file write ahead, which the first connection to it sets for good.

    Whoever waits for that inside SQLite holds a lock that another process, which is creating the tables already, needs
    to commit; so it is tried again from here.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except _sqlite_error():
            if time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.01, 0.1))
        else:
            return


def now(session: Session) -> datetime:
    """The database's clock at this moment, aware UTC: the one clock that all processes share.

    It is read once a session; from there on this process counts the seconds, also those of a long wait for a lock.
    """
    if _CLOCK not in session.info:
        session.info[_CLOCK] = _read_clock(session.connection()), time.monotonic()
    moment: datetime
    moment, read = session.info[_CLOCK]
    return moment + timedelta(seconds=time.monotonic() - read)


def clock(db: Database) -> datetime:
    """The same, for whoever has nothing else to ask the database.

    Raises:
      Unavailable: It does not answer.
    """
    with db.reading() as session:
        return now(session)


def _read_clock(connection: sa.Connection) -> datetime:
    if connection.dialect.name == "sqlite":
        # Its own clock is this machine's, in whole milliseconds: rounded up, it is ahead of the next one who asks.
        return datetime.now(UTC)
    # Not now(): that is when the transaction began.
    moment: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return moment.astimezone(UTC)


def commit_without_flush(session: Session) -> None:
    """Let this transaction's commit not wait for the disk: a crash of PostgreSQL itself may lose it, others not."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")


def transaction(function: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[Database, P], R]:
    """Have a function of a session called with a database, in a transaction of its own.

    It commits when the function returns and rolls back when the function raises. When the database breaks it off (a
    deadlock), the function runs again in a new one: let it change nothing but its session.

    Raises:
      Unavailable: As for ``Database.transaction``.
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


def database_of(session: Session) -> Database:
    """The database that a transaction's session belongs to."""
    found: Database = session.info[_DATABASE]
    return found


@contextmanager
def _failures() -> Iterator[None]:
    """Turn what drivers raise when the database cannot serve us into ``Unavailable``; our own mistakes pass."""
    try:
        yield
    except exc.TimeoutError as error:
        raise unavailable("no connection became free in time") from error
    except exc.DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        if isinstance(error.orig, _sqlite_error()):
            if "no such table" in reason or "no such column" in reason:
                raise _outdated() from error
            if isinstance(error, exc.OperationalError):
                raise unavailable(reason) from error
            raise
        state = getattr(error.orig, "sqlstate", None) or ""
        if state in ("40001", "40P01"):
            raise Contended("The database broke off a transaction.", reason=reason) from error
        if state in ("42P01", "42703"):
            raise _outdated() from error
        # Lost and refused connections have no state.
        lost = not state and isinstance(error, (exc.OperationalError, exc.InterfaceError))
        if error.connection_invalidated or lost or state[:2] in _AWAY or state in _NOT_NOW:
            raise unavailable(reason) from error
        raise


def _sqlite_error() -> type[Exception]:
    import sqlite3

    return sqlite3.Error


def unavailable(reason: str) -> Unavailable:
    """The error for a database that cannot serve us now."""
    return Unavailable(
        "The database does not answer.",
        reason=reason,
        code="database_unavailable",
        hint="Check that the database of OCTAVIA_DATABASE_URL runs and can be reached.",
    )


def _outdated() -> Unavailable:
    return Unavailable(
        "The database lacks tables or columns that this release needs.",
        code="database_outdated",
        hint="Run `octavia db upgrade`.",
    )
