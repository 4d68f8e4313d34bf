"""What happened to a job, in order, for those who watch it."""

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
"""Where PostgreSQL notifies of a job's news, by its id."""


def emit(session: Session, job: Job, type: str, data: dict[str, Any]) -> None:
    """Append an event; the caller holds the job's lock, which is what keeps ``seq`` without gaps."""
    job.event_seq += 1
    session.add(Event(job_id=job.id, seq=job.event_seq, type=type, data=data, created_at=now(session)))
    if session.get_bind().dialect.name == "postgresql":
        # Goes out when the transaction commits, and once however many events it has.
        session.connection().exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, str(job.id)))


def first_event(job: Job, type: str, data: dict[str, Any], *, at: datetime) -> Event:
    """The first event of a job that is being made, to be added after it; nobody can be watching yet.

    Parameters:
      job: Not written down yet, so that this costs it no update.
      at: The database's clock.
    """
    job.event_seq = 1
    return Event(job_id=job.id, seq=1, type=type, data=data, created_at=at)


def since(db: Database, job_id: UUID, seq: int, limit: int) -> list[EventRecord]:
    """The job's events after ``seq``, oldest first, at most ``limit``."""
    wanted = sa.select(Event).where(col(Event.job_id) == job_id, col(Event.seq) > seq)
    with db.reading() as session:
        rows = session.scalars(wanted.order_by(col(Event.seq)).limit(limit))
        return [copied(EventRecord, row) for row in rows]
