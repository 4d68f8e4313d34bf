"""The attempts at a job's tasks: those that ended, and the one that runs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.newest_rows import HAS_KNOWN_STAGE
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.queries import find_job
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import AttemptOutcome, Stage, TaskStatus


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try of a task.

    Parameters:
      number: Counts the task's attempts from 1, those that were given back too.
      worker: The id of the process that worked on it, ``host:pid:slot``.
      queued_at: The task was put into its queue; a pause before a retry lies after it.
      ended_at, outcome: None while it runs.
      error_code, error_message: The reason why it ended without a result, if one is known.
    """

    task_id: UUID
    run: int
    chunk: int
    stage: Stage
    number: int
    worker: str
    queued_at: datetime | None
    started_at: datetime
    ended_at: datetime | None = None
    outcome: AttemptOutcome | None = None
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt that has ended, with the trace context of its job."""

    attempt: AttemptRecord
    job_id: UUID
    traceparent: str | None


def of_job(db: Database, job_id: UUID, owner: str | None) -> tuple[AttemptRecord, ...]:
    """Read the attempts at a job's tasks, of all runs, in the order in which they began.

    Those that a worker of an older release ended are missing: it wrote none down.

    Parameters:
      owner: None reads a job of any owner.

    Raises ``NotFound`` if the owner has no such job, or it was deleted.
    """
    with db.reading() as session:
        find_job(session, job_id, owner)
        return read(session, job_id)


def ended(db: Database, which: Collection[tuple[UUID, int]]) -> tuple[EndedAttempt, ...]:
    """Read those of some attempts, each given by its task's id and its number, that have ended."""
    wanted = (
        sa.select(*_ended_columns(), col(Job.id), col(Job.traceparent))
        .join_from(Attempt, Task, col(Task.id) == col(Attempt.task_id))
        .join(Job, col(Job.id) == col(Attempt.job_id))
        .where(sa.tuple_(col(Attempt.task_id), col(Attempt.number)).in_(which), HAS_KNOWN_STAGE)
    )
    with db.reading() as session:
        return tuple(EndedAttempt(AttemptRecord(*row[:-2]), *row[-2:]) for row in session.execute(wanted))


def read(session: Session, job_id: UUID) -> tuple[AttemptRecord, ...]:
    """Read the attempts at a job's tasks, as ``of_job`` does, within a session."""
    over = sa.select(*_ended_columns()).join_from(Attempt, Task, col(Task.id) == col(Attempt.task_id))
    times = (col(Task.queued_at), col(Task.started_at))
    running = sa.select(*_task_columns(), col(Task.attempt), col(Task.worker), *times).where(
        col(Task.job_id) == job_id, col(Task.status) == TaskStatus.RUNNING, HAS_KNOWN_STAGE
    )
    rows = [*session.execute(over.where(col(Attempt.job_id) == job_id, HAS_KNOWN_STAGE)), *session.execute(running)]
    return tuple(sorted((AttemptRecord(*row) for row in rows), key=lambda one: (one.started_at, one.chunk, one.number)))


def _task_columns() -> tuple[Any, ...]:
    return col(Task.id), col(Task.run), col(Task.chunk), col(Task.stage)


def _ended_columns() -> tuple[Any, ...]:
    times = (col(Attempt.queued_at), col(Attempt.started_at), col(Attempt.ended_at))
    why = (col(Attempt.outcome), col(Attempt.error_code), col(Attempt.error_message))
    return (*_task_columns(), col(Attempt.number), col(Attempt.worker), *times, *why)
