"""Which worker processes were seen lately."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.records import WorkerRecord
from octavia.jobs.tables.rows import Worker
from octavia.jobs.tables.states import Queue


@transaction
def mark_seen(
    session: Session, id: str, host: str, pid: int, queues: Sequence[Queue], task_id: UUID | None, memory: int
) -> None:
    """Note that a worker lives, what it works on and how many bytes it holds."""
    names = ",".join(queue.value for queue in queues)
    session.merge(Worker(id=id, host=host, pid=pid, queues=names, task_id=task_id, memory=memory, seen_at=now(session)))


@transaction
def remove(session: Session, id: str) -> None:
    """Forget a worker that ended; one that is not known is fine."""
    session.execute(sa.delete(Worker).where(col(Worker.id) == id))


@transaction
def prune(session: Session, unseen: timedelta) -> int:
    """Forget workers that nobody has seen for so long, as after their whole machine went down; returns how many."""
    old = col(Worker.seen_at) < now(session) - unseen
    return len(session.scalars(sa.delete(Worker).where(old).returning(col(Worker.id))).all())


def list_workers(db: Database) -> tuple[WorkerRecord, ...]:
    """Every known worker, by its id; how stale ``seen_at`` may be is for the reader to judge."""
    with db.reading() as session:
        return tuple(WorkerRecord.from_row(row) for row in session.scalars(sa.select(Worker).order_by(col(Worker.id))))
