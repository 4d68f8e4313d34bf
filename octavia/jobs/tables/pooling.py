"""Tells whether a pooler such as PgBouncer stands between us and PostgreSQL, and how it shares out connections."""

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from octavia.jobs.tables.engine import POSTGRES_ARGUMENTS
from octavia.jobs.tables.failures import first_line, unavailable

if TYPE_CHECKING:
    import psycopg

_LOOKS: Final = 5


class Pooling(Enum):
    """The share of a server's connection that a client gets."""

    NONE = auto()
    SESSION = auto()
    TRANSACTION = auto()

    @property
    def keeps_sessions(self) -> bool:
        """True if what a client sets on its connection holds for the next transaction, ``LISTEN`` included."""
        return self is not Pooling.TRANSACTION


def connect_arguments(engine: sa.Engine, url: sa.URL) -> dict[str, Any]:
    """Return psycopg's arguments for a connection outside the pool of an engine."""
    _, arguments = engine.dialect.create_connect_args(url)
    return {**arguments, **POSTGRES_ARGUMENTS}


def pooling(engine: sa.Engine, url: sa.URL) -> Pooling:
    """Find out how the PostgreSQL at a URL is reached. This leaves nothing behind on its connections.

    A pooler makes up the process id that it tells when a connection is opened, so the one that the server tells is
    another. With pooling by transaction, a client's process changes, or a second client gets that of the first.

    Raises ``Unavailable``.
    """
    import psycopg

    arguments = connect_arguments(engine, url)
    of_first, of_second = set[int](), set[int]()
    try:
        with psycopg.connect(**arguments) as first:
            if is_direct(first):
                return Pooling.NONE
            with psycopg.connect(**arguments) as second:
                for _ in range(_LOOKS):
                    # Twice in a row, for poolers that take their connections in turn.
                    of_first |= {_server_process(first), _server_process(first)}
                    of_second.add(_server_process(second))
    except psycopg.Error as error:
        raise unavailable(first_line(error)) from error
    shared = len(of_first) > 1 or of_first & of_second
    return Pooling.TRANSACTION if shared else Pooling.SESSION


def is_direct(connection: "psycopg.Connection[Any]") -> bool:
    """Return whether no pooler stands between this connection and the server."""
    return _server_process(connection) == connection.info.backend_pid


def _server_process(connection: "psycopg.Connection[Any]") -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0
