"""All changes of a job's or task's status: by compare-and-set, and only along legal moves."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Conflict, NotFound
from octavia.jobs.tables import counting
from octavia.jobs.tables.database import count_changed
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import JobStatus, TaskStatus, check_job_move, check_task_move


def lock_job(session: Session, job_id: UUID) -> Job:
    """Read a job's row and lock it until the transaction ends; every transition starts with this.

    One lock for each job, taken first, puts the transitions of a job in order and prevents deadlocks between them.
    Raises ``NotFound`` if there is no such job.
    """
    wanted = sa.select(Job).where(col(Job.id) == job_id)
    job = session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if job is None:
        raise no_job(job_id)
    return job


def lock_owned(session: Session, job_id: UUID, owner: str) -> Job:
    """Lock a job on behalf of its owner. Raises ``NotFound`` if the owner has no such job, or it was deleted."""
    job = lock_job(session, job_id)
    if job.owner != owner or job.deleted_at is not None:
        raise no_job(job_id)
    return job


def lock_task(session: Session, task_id: UUID) -> tuple[Job, Task] | None:
    """Read a task and lock its job; None if the task is gone."""
    job_id = session.scalars(sa.select(col(Task.job_id)).where(col(Task.id) == task_id)).one_or_none()
    if job_id is None:
        return None
    job = lock_job(session, job_id)
    task = session.get(Task, task_id, populate_existing=True)
    return (job, task) if task is not None else None


def lock_running(session: Session, task_id: UUID, attempt: int) -> tuple[Job, Task] | None:
    """Read a task that still runs as this attempt and lock its job; None if the lease was lost."""
    found = lock_task(session, task_id)
    if found is None or found[1].status is not TaskStatus.RUNNING or found[1].attempt != attempt:
        return None
    return found


def move_job(session: Session, job: Job, to: JobStatus, **changes: Any) -> None:
    """Change a locked job's status, and other columns with it.

    Raises ``Conflict`` if the move is not legal, or the row has another status than ``job``.
    """
    old = job.status
    check_job_move(old, to)
    moved = sa.update(Job).where(col(Job.id) == job.id, col(Job.status) == job.status)
    if count_changed(session, moved.values(status=to, **changes)) != 1:
        raise Conflict(f"The job is no longer {old}.")
    counting.job_moved(session, job, to, changes)


def move_task(session: Session, task: Task, to: TaskStatus, **changes: Any) -> None:
    """Change the status of a locked job's task, and other columns with it.

    Raises ``Conflict`` if the move is not legal, or the row has another status or attempt than ``task``.
    """
    old = task.status
    check_task_move(old, to)
    moved = sa.update(Task).filter_by(id=task.id, status=old, attempt=task.attempt)
    counting.task_moved(session, task, old, to, changes)
    if count_changed(session, moved.values(status=to, **changes)) != 1:
        raise Conflict(f"The task is no longer {old}.")


def queue_tasks(session: Session, ids: Sequence[UUID], **changes: Any) -> None:
    """Change tasks of a locked job from waiting to queued. Raises ``Conflict`` if one of them is not waiting."""
    check_task_move(TaskStatus.WAITING, TaskStatus.QUEUED)
    moved = sa.update(Task).where(col(Task.id).in_(ids), col(Task.status) == TaskStatus.WAITING)
    if count_changed(session, moved.values(status=TaskStatus.QUEUED, **changes)) != len(ids):
        raise Conflict("A task is no longer waiting.")


def cancel_tasks(session: Session, job: Job, statuses: Collection[TaskStatus], **changes: Any) -> None:
    """Cancel every task of a locked job, of any run, that has one of these statuses."""
    for status in statuses:
        check_task_move(status, TaskStatus.CANCELED)
    of_job = (col(Task.job_id) == job.id, col(Task.status).in_(statuses))
    if TaskStatus.RUNNING in statuses:
        for task in session.scalars(sa.select(Task).where(*of_job)):
            counting.task_moved(session, task, task.status, TaskStatus.CANCELED, changes)
    moved = sa.update(Task).where(*of_job)
    session.execute(moved.values(status=TaskStatus.CANCELED, **changes))


def no_job(job_id: UUID) -> NotFound:
    """Make the error for a missing job, or another owner's: the two must look alike."""
    return NotFound(
        f"There is no job {job_id}.", code="job_not_found", hint="List your jobs to see their ids.", field="job_id"
    )
