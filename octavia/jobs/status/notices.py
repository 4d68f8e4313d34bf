"""How a process hears that something was committed: PostgreSQL tells it, a SQLite file can be looked at.

Both may miss things (a notice is lost with its connection), so whoever relies on them looks for himself now and then.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

from octavia.jobs.tables.database import POSTGRES_ARGUMENTS, Database, unavailable
from octavia.jobs.tables.events import CHANNEL


@asynccontextmanager
async def listening(db: Database) -> AsyncIterator[AsyncIterator[UUID]]:
    """The jobs that have events from now on, over a PostgreSQL connection of its own.

    Raises:
      Unavailable: It cannot be opened, or broke off.
    """
    import psycopg

    _, arguments = db.engine.dialect.create_connect_args(db.url)
    try:
        connection = await psycopg.AsyncConnection.connect(**{**arguments, **POSTGRES_ARGUMENTS}, autocommit=True)
        try:
            await connection.execute(f"LISTEN {CHANNEL}")
            # Closed first: it holds the connection's lock.
            async with aclosing(connection.notifies()) as told:
                yield (UUID(notice.payload) async for notice in told)
        finally:
            # Not as a context: leaving that would want to end a transaction first.
            await connection.close()
    except psycopg.Error as error:
        raise unavailable(str(error).strip().partition("\n")[0] or type(error).__name__) from error


class FileChanges:
    """Whether anybody has committed to a SQLite file, asked over one connection that is kept for it.

    ``PRAGMA data_version`` changes with every commit of another connection, of whichever process, and reads no more
    than a few bytes of shared memory.
    """

    def __init__(self, db: Database) -> None:
        pooled = db.engine.raw_connection()
        pooled.detach()
        self._connection = pooled
        self._version: int | None = None

    def look(self) -> bool:
        """True when something was committed since the last look; the first one cannot tell and says so too."""
        cursor = self._connection.cursor()
        version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        cursor.close()
        before, self._version = self._version, version
        return self._version != before

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
