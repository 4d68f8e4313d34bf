"""All that is known of one job: its tasks, and every attempt of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.operations.conditions import visible
from octavia.jobs.operations.listing import ListedJob, count_attempts
from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.records import JobRecord, copied
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import AttemptOutcome, Stage, TaskStatus
from octavia.jobs.tables.transitions import no_job

MOST_TASKS: Final = 5000
"""More than four hours of media have in three runs."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt that has ended: columns of ``operation_rows.Attempt``."""

    number: int
    worker: str
    queued_at: datetime | None
    started_at: datetime
    ended_at: datetime
    outcome: AttemptOutcome
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task: columns of ``rows.Task``, and its attempts that have ended, in order."""

    id: UUID
    run: int
    chunk: int
    stage: Stage
    status: TaskStatus
    attempt: int
    worker: str | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    progress: float
    seconds: float
    error_code: str | None
    error_message: str | None
    attempts: tuple[AttemptRecord, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """A job with its tasks, by run, then chunk, then stage; ``complete``: these are all of them."""

    listed: ListedJob
    tasks: tuple[TaskRecord, ...]
    complete: bool


def get(db: Database, job_id: UUID, owner: str | None) -> Details:
    """Read a job with its tasks, those of the newest runs if there are very many. Raises ``NotFound``."""
    of_job = col(Task.job_id) == job_id
    with db.reading() as session:
        row = session.scalars(sa.select(Job).where(col(Job.id) == job_id, *visible(owner))).one_or_none()
        if row is None:
            raise no_job(job_id)
        newest = sa.select(Task).where(of_job, newest_rows.HAS_KNOWN_STAGE).order_by(col(Task.run).desc())
        tasks = session.scalars(newest.limit(MOST_TASKS + 1)).all()
        attempts: dict[UUID, list[AttemptRecord]] = {}
        tried = sa.select(Attempt).where(col(Attempt.job_id) == job_id, col(Attempt.stage).in_(tuple(Stage)))
        for one in session.scalars(tried.order_by(col(Attempt.number)).limit(2 * MOST_TASKS)):
            attempts.setdefault(one.task_id, []).append(copied(AttemptRecord, one))
        listed = ListedJob(JobRecord.from_row(row), count_attempts(session, [job_id]).get(job_id, 0))
    order = {stage: position for position, stage in enumerate(Stage)}
    found = sorted(tasks[:MOST_TASKS], key=lambda task: (task.run, task.chunk, order[task.stage]))
    records = tuple(copied(TaskRecord, task, attempts=tuple(attempts.get(task.id, ()))) for task in found)
    return Details(listed, records, complete=len(tasks) <= MOST_TASKS)
