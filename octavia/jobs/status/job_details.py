"""Details of a job's progress: what is done and left of each stage, and its place in the queue."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import find_job, share_done
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Job, Task, UTCDateTime
from octavia.jobs.tables.states import JobStatus, Stage

OPEN = (JobStatus.QUEUED, JobStatus.PROCESSING)
"""States of jobs that workers have work for."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """Progress of a stage: ``done`` tasks of ``total``; running ones count by their fraction.

    While ``prepare`` reads the recording, the tasks of chunks are those of ``share`` of it (0–1), and more will come.
    """

    done: float
    total: int
    share: float = 1.0

    @property
    def fraction(self) -> float:
        """Progress of the stage, 0–1."""
        return self.done / self.total * self.share


@dataclass(frozen=True, slots=True)
class Remaining:
    """Remaining work of a stage: ``tasks``, their ``seconds`` of media, and the seconds of the ``longest`` task."""

    tasks: float
    seconds: float
    longest: float


@dataclass(frozen=True, slots=True)
class JobDetails:
    """A job with its progress.

    Parameters:
      stages, left: Progress and remaining work of each planned stage.
      position: Place among the queued jobs, from 1, by priority and then by time; None once the job has begun.
      ahead: Number of jobs of its priority that were queued earlier and have not ended.
    """

    job: JobRecord
    stages: dict[Stage, StageProgress]
    left: dict[Stage, Remaining]
    position: int | None
    ahead: int


def get(db: Database, job_id: UUID, owner: str) -> JobDetails:
    """Read a job's details. Raises ``NotFound`` if the owner has no such job."""
    with db.reading() as session:
        job = find_job(session, job_id, owner)
        stages, left = _stages(session, job_id)
        position, ahead = _place(session, job) if job.status in OPEN else (0, 0)
    return JobDetails(job, stages, left, position if job.status is JobStatus.QUEUED else None, ahead)


def stage_progress(db: Database, job_id: UUID) -> dict[Stage, StageProgress]:
    """Read the progress of each planned stage."""
    with db.reading() as session:
        return _stages(session, job_id)[0]


def media_seconds() -> sa.ColumnElement[float]:
    """Seconds of media of a task joined with its job; tasks of the whole job work on all of it."""
    return sa.func.coalesce(sa.func.nullif(col(Task.seconds), 0), col(Job.duration), 0.0)


def _stages(session: Session, job_id: UUID) -> tuple[dict[Stage, StageProgress], dict[Stage, Remaining]]:
    progress: dict[Stage, StageProgress] = {}
    left: dict[Stage, Remaining] = {}
    rows = session.execute(_OF_STAGES, {"job_id": job_id})
    for stage, done, total, seconds, longest in sorted(rows, key=lambda row: list(Stage).index(row[0])):
        share = progress[Stage.PREPARE].fraction if Stage.PREPARE in progress else 1.0
        progress[stage] = StageProgress(float(done), total, share)
        left[stage] = Remaining(total - float(done), float(seconds), float(longest))
    return progress, left


def _place(session: Session, job: JobRecord) -> tuple[int, int]:
    """Read a job's position if it is queued, and the number of jobs of its priority ahead of it."""
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
    """Query for three counts, each over a range of one index, which has the jobs in queue order."""
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


# Built once: clients ask often, and building a query takes longer than its answer.
_OF_STAGES: Final = _of_stages()
_AHEAD: Final = _ahead()
