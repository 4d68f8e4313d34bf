"""The list of worker processes that reported lately."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia import __version__
from octavia.errors import Unavailable
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.records import WorkerRecord
from octavia.jobs.tables.rows import Worker
from octavia.jobs.tables.states import Queue

_LATELY: Final = timedelta(seconds=30)


@transaction
def mark_seen(
    session: Session, id: str, host: str, pid: int, queues: Sequence[Queue], task_id: UUID | None, memory: int
) -> None:
    """Store that a worker of this release lives, its task and its resident memory in bytes."""
    names = ",".join(queue.value for queue in queues)
    seen = Worker(id=id, host=host, pid=pid, queues=names, task_id=task_id, memory=memory, seen_at=now(session))
    seen.release = __version__
    session.merge(seen)


@transaction
def remove(session: Session, id: str) -> None:
    """Remove a worker that ended, if it is listed."""
    session.execute(sa.delete(Worker).where(col(Worker.id) == id))


@transaction
def prune(session: Session, unseen: timedelta) -> int:
    """Remove workers that were not seen for ``unseen``, as after their machine crashed; returns their number."""
    old = col(Worker.seen_at) < now(session) - unseen
    return len(session.scalars(sa.delete(Worker).where(old).returning(col(Worker.id))).all())


def count_by_queue(db: Database, seen_within: timedelta) -> dict[Queue, int]:
    """Count the workers of each queue that were seen within that time; 0 for a queue that nobody serves."""
    found = dict.fromkeys(Queue, 0)
    with db.reading() as session:
        seen = sa.select(col(Worker.queues)).where(col(Worker.seen_at) > now(session) - seen_within)
        for names in session.scalars(seen):
            served = names.split(",")
            for queue in Queue:
                found[queue] += queue.value in served
    return found


def list_workers(db: Database) -> tuple[WorkerRecord, ...]:
    """List all known workers by id; callers judge how old ``seen_at`` may be."""
    with db.reading() as session:
        return tuple(WorkerRecord.from_row(row) for row in session.scalars(sa.select(Worker).order_by(col(Worker.id))))


def check(db: Database) -> None:
    """Raise ``Unavailable`` (``workers_failing``) if workers die whenever they are started, and none lives."""
    with db.reading() as session:
        lately = sa.select(col(Worker.pid)).where(col(Worker.seen_at) > now(session) - _LATELY)
        pids = session.scalars(lately).all()
    if pids and not any(pids):
        raise Unavailable(
            "The worker processes end as soon as they are started.",
            code="workers_failing",
            hint="The workers' log has what they said last. They are started again, after longer and longer pauses.",
        )
