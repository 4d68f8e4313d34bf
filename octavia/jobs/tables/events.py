"""The events of a job, in order, for clients that watch it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.records import EventRecord, copied
from octavia.jobs.tables.rows import Event, Job

CHANNEL: Final = "octavia_events"
"""The PostgreSQL channel that announces new events; each notice is a job's id."""

_TOLD: Final = "octavia_told"


def emit(session: Session, job: Job, type: str, data: dict[str, Any]) -> None:
    """Append an event. The caller holds the job's lock, which keeps ``seq`` free of gaps."""
    job.event_seq += 1
    session.add(Event(job_id=job.id, seq=job.event_seq, type=type, data=data, created_at=now(session)))
    connection = session.connection()
    told = session.info.setdefault(_TOLD, set())
    if connection.dialect.name == "postgresql" and job.id not in told:
        # Sent when the transaction commits, once for all its events.
        connection.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, str(job.id)))
        told.add(job.id)


def first_event(job: Job, type: str, data: dict[str, Any], *, at: datetime) -> Event:
    """Make the first event of a new job, to be added after the job; nobody can be watching yet.

    Parameters:
      job: Not yet written, so that its event number costs no update.
      at: The database's clock.
    """
    job.event_seq = 1
    return Event(job_id=job.id, seq=1, type=type, data=data, created_at=at)


def since(db: Database, job_id: UUID, seq: int, limit: int) -> list[EventRecord]:
    """Read a job's events after ``seq``, oldest first, at most ``limit``."""
    wanted = sa.select(Event).where(col(Event.job_id) == job_id, col(Event.seq) > seq)
    with db.reading() as session:
        rows = session.scalars(wanted.order_by(col(Event.seq)).limit(limit))
        return [copied(EventRecord, row) for row in rows]
