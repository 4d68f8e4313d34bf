"""The events of a job, in order, for clients that watch it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables import writes
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.records import EventRecord, copied
from octavia.jobs.tables.rows import Event, Job

CHANNEL: Final = "octavia_events"
"""The PostgreSQL channel that announces new events; each notice is a job's id."""


def emit(session: Session, job: Job, type: str, data: dict[str, Any]) -> None:
    """Append an event. The caller holds the job's lock, which keeps ``seq`` free of gaps."""
    job.event_seq += 1
    writes.insert(session, Event, job_id=job.id, seq=job.event_seq, type=type, data=data, created_at=now(session))
    writes.notify(session, CHANNEL, str(job.id))


def emit_first(session: Session, job: Job, type: str, data: dict[str, Any], *, at: datetime) -> None:
    """Write the first event of a new job; nobody can be watching yet.

    Parameters:
      job: Not yet written, so that its event number costs no update.
      at: The database's clock.
    """
    job.event_seq = 1
    writes.insert(session, Event, job_id=job.id, seq=1, type=type, data=data, created_at=at)


def since(db: Database, job_id: UUID, seq: int, limit: int) -> list[EventRecord]:
    """Read a job's events after ``seq``, oldest first, at most ``limit``."""
    wanted = sa.select(Event).where(col(Event.job_id) == job_id, col(Event.seq) > seq)
    with db.reading() as session:
        rows = session.scalars(wanted.order_by(col(Event.seq)).limit(limit))
        return [copied(EventRecord, row) for row in rows]
