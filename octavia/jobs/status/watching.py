"""News of watched jobs: read for many at once, and announced by PostgreSQL or by a change of the SQLite file.

Announcements can get lost (a notice is lost with its connection), so watchers also read from time to time.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.events import CHANNEL
from octavia.jobs.tables.failures import first_line, unavailable
from octavia.jobs.tables.pooling import connect_arguments, pooling
from octavia.jobs.tables.queries import batches
from octavia.jobs.tables.records import EventRecord, copied
from octavia.jobs.tables.rows import Event, Job

_JOBS_A_QUERY: Final = 500
_CHANGED_JOBS_A_QUERY: Final = 50


@dataclass(frozen=True, slots=True)
class News:
    """The news of a job.

    Parameters:
      seq: The number of its newest event.
      ended: No event follows unless another run is requested.
      events: The newest ones, without gaps; fewer or none if they were deleted because the job expired.
    """

    seq: int
    ended: bool
    events: tuple[EventRecord, ...] = ()


def news(db: Database, known: Mapping[UUID, int], limit: int) -> dict[UUID, News]:
    """Read the news of jobs: their events after the known ones, at most the newest ``limit`` of each job.

    Without news this is one query for every 500 jobs. Deleted and unknown jobs are missing in the answer.

    Parameters:
      known: The number of the newest event that the caller knows, by job.
    """
    found: dict[UUID, News] = {}
    with db.reading() as session:
        for ids in batches(known, _JOBS_A_QUERY):
            heads = sa.select(col(Job.id), col(Job.event_seq), col(Job.status)).where(
                col(Job.id).in_(ids), col(Job.deleted_at).is_(None)
            )
            for job_id, seq, status in session.execute(heads):
                found[job_id] = News(seq, status.ended)
        changed = {job_id: new.seq for job_id, new in found.items() if new.seq > known[job_id]}
        for ids in batches(changed, _CHANGED_JOBS_A_QUERY):
            after = {job_id: max(known[job_id], changed[job_id] - limit) for job_id in ids}
            for job_id, events in _events(session, after).items():
                # The job may have gone on between the two queries.
                seq = events[-1].seq
                found[job_id] = News(seq, found[job_id].ended and seq == changed[job_id], tuple(events))
    return found


def can_listen(db: Database) -> bool:
    """Return whether ``listening`` hears anything: not through a pooler that shares connections by transaction.

    There, the connection that listens would be other clients' too. Raises ``Unavailable``.
    """
    return pooling(db.engine, db.listen_url).keeps_sessions


@asynccontextmanager
async def listening(db: Database) -> AsyncIterator[AsyncIterator[UUID]]:
    """Give the ids of jobs that get new events, over a PostgreSQL connection of its own; see ``can_listen``.

    Raises:
      Unavailable: The connection cannot be opened, or broke off.
    """
    import psycopg

    try:
        connection = await psycopg.AsyncConnection.connect(**connect_arguments(db.engine, db.listen_url))
        try:
            await connection.execute(f"LISTEN {CHANNEL}")
            # Closed first, as it holds the connection's lock.
            async with aclosing(connection.notifies()) as told:
                yield (UUID(notice.payload) async for notice in told)
        finally:
            # Not as a context manager, which would end a transaction first.
            await connection.close()
    except psycopg.Error as error:
        raise unavailable(first_line(error)) from error


class FileChanges:
    """Detects commits to a SQLite file, over a connection kept for that.

    ``PRAGMA data_version`` changes with every commit of any other connection, and costs only a read of shared memory.
    """

    def __init__(self, db: Database) -> None:
        pooled = db.engine.raw_connection()
        pooled.detach()
        self._connection = pooled
        self._version: int | None = None

    def look(self) -> bool:
        """Return whether something was committed since the last call; the first call returns True."""
        cursor = self._connection.cursor()
        version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        cursor.close()
        before, self._version = self._version, version
        return self._version != before

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _events(session: Session, after: Mapping[UUID, int]) -> dict[UUID, list[EventRecord]]:
    wanted = sa.or_(*(sa.and_(col(Event.job_id) == job_id, col(Event.seq) > seq) for job_id, seq in after.items()))
    found: dict[UUID, list[EventRecord]] = {}
    for row in session.scalars(sa.select(Event).where(wanted).order_by(col(Event.job_id), col(Event.seq))):
        found.setdefault(row.job_id, []).append(copied(EventRecord, row))
    return found
