"""Canceling a job, and ending tasks whose results are no longer wanted."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Conflict
from octavia.jobs.access import webhooks
from octavia.jobs.tables import events
from octavia.jobs.tables.database import database_of, now, transaction
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import JobStatus, TaskStatus
from octavia.jobs.tables.transitions import cancel_tasks, lock_owned, move_job, move_task


@transaction
def cancel(session: Session, job_id: UUID, owner: str) -> JobRecord:
    """Cancel a job: at once if none of its tasks runs, else when the last one stops or loses its lease.

    Canceling again changes nothing.

    Raises:
      NotFound: The owner has no such job.
      Conflict: The job has completed or failed already.
    """
    job = lock_owned(session, job_id, owner)
    if job.status is not JobStatus.CANCELED and job.cancel_requested_at is None:
        request_cancel(session, job)
    return JobRecord.from_row(job)


def request_cancel(session: Session, job: Job) -> None:
    """Cancel a locked job, as soon as none of its tasks runs. Raises ``Conflict`` if it has ended."""
    if job.status.ended:
        raise Conflict(f"The job is {job.status}; only a job that has not ended can be canceled.")
    moment = now(session)
    job.cancel_requested_at = moment
    cancel_tasks(session, job, (TaskStatus.WAITING, TaskStatus.QUEUED), finished_at=moment)
    finish_cancel(session, job)


def is_wanted(job: Job, task: Task) -> bool:
    """Return whether a running task's result is still of use to its job."""
    return job.status is JobStatus.PROCESSING and job.cancel_requested_at is None and task.run == job.run


def cancel_running(session: Session, job: Job, task: Task) -> None:
    """Cancel a running task, and finish its job's cancellation if that waited only for this task."""
    move_task(session, task, TaskStatus.CANCELED, finished_at=now(session), lease_until=None)
    finish_cancel(session, job)


def finish_cancel(session: Session, job: Job) -> None:
    """Finish a requested cancellation, if none of the job's tasks runs."""
    if job.cancel_requested_at is None or job.status is JobStatus.CANCELED:
        return
    running = sa.select(col(Task.id)).where(col(Task.job_id) == job.id, col(Task.status) == TaskStatus.RUNNING).limit(1)
    if session.scalars(running).first() is None:
        moment = now(session)
        # A job that was never started keeps its expiry: its input may be gone already.
        expires = job.expires_at or moment + database_of(session).retention
        move_job(session, job, JobStatus.CANCELED, finished_at=moment, expires_at=expires)
        events.emit(session, job, "canceled", {})
        webhooks.announce(session, job)
