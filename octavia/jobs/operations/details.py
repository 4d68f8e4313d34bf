"""All that is known of one job: its tasks, and every attempt of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.operations.listing import ListedJob, count_attempts
from octavia.jobs.status import attempts
from octavia.jobs.status.attempts import AttemptRecord
from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import find_job
from octavia.jobs.tables.records import copied
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import Stage, TaskStatus

MOST_TASKS: Final = 5000
"""More than four hours of media have in three runs."""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task: columns of ``rows.Task``, and its attempts, in order, the running one too."""

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
    with db.reading() as session:
        job = find_job(session, job_id, owner)
        newest = sa.select(Task).where(col(Task.job_id) == job_id, newest_rows.HAS_KNOWN_STAGE)
        tasks = session.scalars(newest.order_by(col(Task.run).desc()).limit(MOST_TASKS + 1)).all()
        tried: dict[UUID, list[AttemptRecord]] = {}
        for attempt in attempts.read(session, job_id):
            tried.setdefault(attempt.task_id, []).append(attempt)
        listed = ListedJob(job, count_attempts(session, [job_id]).get(job_id, 0))
    order = {stage: position for position, stage in enumerate(Stage)}
    found = sorted(tasks[:MOST_TASKS], key=lambda task: (task.run, task.chunk, order[task.stage]))
    records = tuple(copied(TaskRecord, task, attempts=tuple(tried.get(task.id, ()))) for task in found)
    return Details(listed, records, complete=len(tasks) <= MOST_TASKS)
