"""Where a job stands: how much of it is done, what is left, and who comes before it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import find_job
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Job, Task, UTCDateTime
from octavia.jobs.tables.states import JobStatus, Stage, TaskStatus

OPEN = (JobStatus.QUEUED, JobStatus.PROCESSING)
"""Jobs that workers have something to do for."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How much of a stage is done: ``done`` tasks of ``total``, running ones counted by their fraction."""

    done: float
    total: int


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a stage: ``tasks``, the ``seconds`` of media they work on, and the ``longest`` one's."""

    tasks: float
    seconds: float
    longest: float


@dataclass(frozen=True, slots=True)
class JobDetails:
    """A job, and where it stands.

    Parameters:
      stages, left: Of the stages that are planned.
      position: Which of the jobs that have not begun it is, from 1, by priority and then by time; None once it has.
      ahead: How many jobs of its priority were queued before it and have not ended.
    """

    job: JobRecord
    stages: dict[Stage, StageProgress]
    left: dict[Stage, Remaining]
    position: int | None
    ahead: int


def get(db: Database, job_id: UUID, owner: str) -> JobDetails:
    """Where a job stands.

    Raises:
      NotFound: The owner has no such job.
    """
    with db.reading() as session:
        job = find_job(session, job_id, owner)
        found = _stages(session, job_id)
        position, ahead = _place(session, job) if job.status in OPEN else (0, 0)
    return JobDetails(
        job,
        {stage: progress for stage, (progress, _) in found.items()},
        {stage: left for stage, (_, left) in found.items()},
        position if job.status is JobStatus.QUEUED else None,
        ahead,
    )


def stage_progress(db: Database, job_id: UUID) -> dict[Stage, StageProgress]:
    """How far each stage is, over its effective tasks; stages not planned yet are not in it."""
    with db.reading() as session:
        return {stage: progress for stage, (progress, _) in _stages(session, job_id).items()}


def media_seconds() -> sa.ColumnElement[float]:
    """The seconds of media that a task of a joined job works on; what concerns the whole job works on all of it."""
    return sa.func.coalesce(sa.func.nullif(col(Task.seconds), 0), col(Job.duration), 0.0)


def share_done() -> sa.ColumnElement[float]:
    """How much of a task is done, 0 to 1."""
    return sa.case(
        (col(Task.status) == TaskStatus.COMPLETED, 1.0),
        (col(Task.status) == TaskStatus.RUNNING, col(Task.progress)),
        else_=0.0,
    )


def _stages(session: Session, job_id: UUID) -> dict[Stage, tuple[StageProgress, Remaining]]:
    found = {
        stage: (StageProgress(float(done), total), Remaining(total - float(done), float(seconds), float(longest)))
        for stage, done, total, seconds, longest in session.execute(_OF_STAGES, {"job_id": job_id})
    }
    return {stage: found[stage] for stage in Stage if stage in found}


def _place(session: Session, job: JobRecord) -> tuple[int, int]:
    """Its position if it has not begun, and how many of its priority come before it."""
    mine = {"job_id": job.id, "priority": job.priority, "since": job.queued_at}
    more_urgent, sooner, begun = session.execute(_AHEAD, mine).one()
    return more_urgent + sooner + 1, sooner + begun


def _of_stages() -> sa.Select[Stage, float, int, float, float]:
    done, left = share_done(), media_seconds() * (1 - share_done())
    return (
        sa.select(col(Task.stage), sa.func.sum(done), sa.func.count(), sa.func.sum(left), sa.func.max(left))
        .select_from(Task)
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(newest_rows.is_newest_of_job(sa.bindparam("job_id", type_=sa.Uuid())))
        .group_by(col(Task.stage))
    )


def _ahead() -> sa.Select[int, int, int]:
    """Three counts, each of a stretch of one index, which has jobs in the order of the queue."""
    priority = sa.bindparam("priority", type_=sa.Integer())
    mine = sa.bindparam("since", type_=UTCDateTime()), sa.bindparam("job_id", type_=sa.Uuid())
    sooner = sa.and_(col(Job.priority) == priority, sa.tuple_(col(Job.queued_at), col(Job.id)) < sa.tuple_(*mine))

    def count(status: JobStatus, which: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
        return sa.select(sa.func.count()).select_from(Job).where(col(Job.status) == status, which).scalar_subquery()

    return sa.select(
        count(JobStatus.QUEUED, col(Job.priority) > priority),
        count(JobStatus.QUEUED, sooner),
        count(JobStatus.PROCESSING, sooner),
    )


# Made once: whoever waits for a job asks often, and to make them takes longer than the database does to answer.
_OF_STAGES: Final = _of_stages()
_AHEAD: Final = _ahead()
