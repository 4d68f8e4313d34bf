"""Changing the priority of a job that has not ended."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Conflict
from octavia.jobs.protocol.enqueue import send_again
from octavia.jobs.tables.database import now
from octavia.jobs.tables.rows import Job, OutboxMessage, Task
from octavia.jobs.tables.states import Priority, TaskStatus


def prioritize_locked(session: Session, job: Job, priority: Priority) -> None:
    """Change a locked job's priority: of its later messages, of those in the outbox, and as far as possible of others.

    A message that was published keeps its place in the broker's queue, and the broker cannot be asked for it back. So a
    task that becomes more urgent gets a second message: one of the two is claimed, the other dropped. One that becomes
    less urgent keeps the place that it has; its job's later tasks wait longer.

    Raises ``Conflict`` if the job has ended, or has this priority already.
    """
    if job.status.ended:
        raise Conflict(f"The job is {job.status}; only one that has not ended has a use for a priority.")
    raised = priority.level > job.priority
    if job.priority == priority.level:
        raise Conflict(f"The job has the priority {priority} already.")
    job.priority = priority.level
    queued = sa.select(Task).where(
        col(Task.job_id) == job.id, col(Task.run) == job.run, col(Task.status) == TaskStatus.QUEUED
    )
    tasks = {task.id: task for task in session.scalars(queued)}
    unsent = _change_unsent(session, tasks.keys(), priority)
    for task in tasks.values() if raised else ():
        if task.id not in unsent:
            send_again(session, job, task)


def _change_unsent(session: Session, tasks: Collection[UUID], priority: Priority) -> set[UUID]:
    """Change the priority of tasks' messages that nobody sends just now; returns those tasks."""
    moment = now(session)
    free = sa.or_(col(OutboxMessage.leased_until).is_(None), col(OutboxMessage.leased_until) <= moment)
    unsent = sa.update(OutboxMessage).where(
        col(OutboxMessage.task_id).in_(tasks), col(OutboxMessage.published_at).is_(None), free
    )
    changed = unsent.values(priority=priority.level).returning(col(OutboxMessage.task_id))
    return {task for task in session.scalars(changed) if task is not None}
