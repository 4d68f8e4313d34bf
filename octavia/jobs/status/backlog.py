"""Amount of waiting work, for idle workers, the relay and operators."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.due_messages import is_due, is_free
from octavia.jobs.tables.rows import Job, OutboxMessage, Task, UTCDateTime, Worker
from octavia.jobs.tables.states import JobStatus, Queue, Stage, TaskStatus

_OPEN_TASKS = (TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts at one moment: jobs by status, open tasks by stage and status, unsent messages by queue, workers."""

    jobs: dict[JobStatus, int]
    tasks: dict[tuple[Stage, TaskStatus], int]
    outbox: dict[Queue, int]
    workers: int


@dataclass(frozen=True, slots=True)
class OutboxQueue:
    """The messages of one queue that were not sent: all, those due, those of these that are leased, and their age."""

    queue: Queue
    waiting: int
    due: int
    leased: int
    oldest_seconds: float


def outbox(db: Database) -> list[OutboxQueue]:
    """Count the messages that were not sent, for every queue."""
    with db.reading() as session:
        moment = now(session)
        due = col(OutboxMessage.not_before) <= moment
        leased = col(OutboxMessage.leased_until) > moment
        since = sa.func.min(sa.case((due, col(OutboxMessage.not_before))), type_=UTCDateTime())
        unsent = sa.select(
            col(OutboxMessage.queue),
            sa.func.count(),
            sa.func.count(sa.case((due, 1))),
            sa.func.count(sa.case((sa.and_(due, leased), 1))),
            since,
        ).where(col(OutboxMessage.published_at).is_(None))
        found = {row[0]: row for row in session.execute(unsent.group_by(col(OutboxMessage.queue)))}
    return [
        OutboxQueue(queue, waiting, due, leased, max(0.0, (moment - since).total_seconds()) if since else 0.0)
        for queue in Queue
        for _, waiting, due, leased, since in [found.get(queue) or (queue, 0, 0, 0, None)]
    ]


def has_due_message(db: Database, queues: Collection[Queue], *, leased: bool = False) -> bool:
    """Return whether the outbox has a due message for one of the queues; ``leased`` counts leased ones too."""
    with db.reading() as session:
        which = (is_due if leased else is_free)(OutboxMessage, now(session))
        found = sa.select(col(OutboxMessage.id)).where(which, col(OutboxMessage.queue).in_(queues))
        return session.scalars(found.limit(1)).first() is not None


def count(db: Database) -> Backlog:
    """Count everything now."""
    amount = sa.func.count()
    status, stage, state, queue = col(Job.status), col(Task.stage), col(Task.status), col(OutboxMessage.queue)
    with db.reading() as session:
        jobs = session.execute(sa.select(status, amount).where(col(Job.deleted_at).is_(None)).group_by(status))
        tasks = session.execute(sa.select(stage, state, amount).where(state.in_(_OPEN_TASKS)).group_by(stage, state))
        unsent = session.execute(
            sa.select(queue, amount).where(col(OutboxMessage.published_at).is_(None)).group_by(queue)
        )
        return Backlog(
            jobs={row[0]: row[1] for row in jobs},
            tasks={(row[0], row[1]): row[2] for row in tasks},
            outbox={row[0]: row[1] for row in unsent},
            workers=session.scalars(sa.select(amount).select_from(Worker)).one(),
        )
