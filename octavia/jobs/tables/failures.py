"""The drivers' errors as errors of this project: what is wrong, and what to do about it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from octavia.errors import Unavailable

READ_ONLY: Final = "25006"
"""PostgreSQL's error for a write to a standby."""

STALE_PLAN: Final = "0A000"
"""PostgreSQL's error for a prepared statement whose columns were migrated meanwhile."""

# PostgreSQL's error classes for connections, resources, operator intervention and the system below. PgBouncer's own
# errors are of the first: 08P01.
_UNAVAILABLE_CLASSES: Final = ("08", "53", "57", "58")
# No lock in time, a transaction that idled too long, and a write to a standby (most often after a failover).
_UNAVAILABLE_STATES: Final = ("55P03", "25P03", READ_ONLY)

_AWAY: Final = "Check that the database of OCTAVIA_DATABASE_URL is running and reachable."
# A server that refuses does answer. Refusals at the start of a connection have no error code, only words.
_REFUSALS: Final = (
    (
        r"SSL|certificate|private key",
        "Check sslmode, sslrootcert, sslcert and sslkey in OCTAVIA_DATABASE_URL: see docs/operations.md, TLS.",
    ),
    (
        r"unsupported startup parameter",
        "PgBouncer takes no such parameter: remove it from OCTAVIA_DATABASE_URL (or PGOPTIONS), or add it to "
        "ignore_startup_parameters in pgbouncer.ini.",
    ),
    (
        r"statement pooling mode",
        "Octavia needs transactions: set pool_mode = transaction, or session, in pgbouncer.ini.",
    ),
    (
        r"query_wait_timeout",
        "All connections of PgBouncer's pool are in use: raise default_pool_size in pgbouncer.ini.",
    ),
    (
        r"too many (clients|connections)|no more connections allowed|connection slots are reserved",
        "The server or PgBouncer has no connection left: raise max_connections (PgBouncer: max_client_conn), or run "
        "fewer processes.",
    ),
    (
        r"authentication failed|no password supplied|no pg_hba\.conf entry|no such user|role .{0,200} does not exist",
        "Check the user and the password in OCTAVIA_DATABASE_URL, and that the server lets this machine in.",
    ),
    (
        r"no such database|database .{0,200} does not exist",
        "Create the database, or correct its name in OCTAVIA_DATABASE_URL; PgBouncer needs it in [databases].",
    ),
    (
        r"server_login_retry|cannot connect to server|server conn crashed|server login (has been )?fail",
        "PgBouncer answers, but cannot use the PostgreSQL behind it: its log says why.",
    ),
)


class Contended(Unavailable):
    """The database broke off a transaction in favour of another one; a second attempt may succeed at once."""

    code = "database_unavailable"


def unavailable(reason: str) -> Unavailable:
    """Make the error for a database that cannot be used now; its hint depends on the driver's words."""
    hint = next((remedy for words, remedy in _REFUSALS if re.search(words, reason)), None)
    return Unavailable(
        "The database refuses the connection." if hint else "The database does not answer.",
        reason=reason,
        code="database_unavailable",
        hint=hint or _AWAY,
    )


def outdated() -> Unavailable:
    """Make the error for a database without the tables of this release."""
    return Unavailable(
        "The database lacks tables or columns that this release needs.",
        code="database_outdated",
        hint="Run `octavia db upgrade`.",
    )


def first_line(error: BaseException) -> str:
    """Return the first line of a driver's words, or the name of an error without words."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def sqlite_error() -> type[Exception]:
    """Return the base class of SQLite's errors, loaded only when needed."""
    import sqlite3

    return sqlite3.Error


@contextmanager
def translated() -> Iterator[None]:
    """Turn the drivers' errors for an unavailable database into ``Unavailable``; let programming errors pass."""
    try:
        yield
    except exc.TimeoutError as error:
        raise unavailable("no connection became free in time") from error
    except exc.DBAPIError as error:
        reason = first_line(error.orig or error)
        if isinstance(error.orig, sqlite_error()):
            if "no such table" in reason or "no such column" in reason:
                raise outdated() from error
            if isinstance(error, exc.OperationalError):
                raise unavailable(reason) from error
            raise
        state = getattr(error.orig, "sqlstate", None) or ""
        if state in ("40001", "40P01", STALE_PLAN):
            raise Contended("The database broke off a transaction.", reason=reason) from error
        if state in ("42P01", "42703"):
            raise outdated() from error
        # Lost and refused connections have no state.
        lost = not state and isinstance(error, (exc.OperationalError, exc.InterfaceError))
        if error.connection_invalidated or lost or state[:2] in _UNAVAILABLE_CLASSES or state in _UNAVAILABLE_STATES:
            raise unavailable(reason) from error
        raise
