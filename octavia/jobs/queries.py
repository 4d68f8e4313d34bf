"""What can be asked about jobs. Nothing here changes anything."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from octavia.errors import InputError, NotFound
from octavia.jobs.database import Database
from octavia.jobs.effective import is_newest
from octavia.jobs.models import Artifact, Job, Task
from octavia.jobs.records import JobRecord
from octavia.jobs.states import JobStatus, JobType, Stage, TaskStatus
from octavia.jobs.transitions import no_job


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A stored file of a job; ``size`` in bytes. ``revision`` 0: what one stage left for the next."""

    name: str
    media_type: str
    size: int
    sha256: str
    storage_key: str
    revision: int
    created_at: datetime

    @classmethod
    def from_row(cls, row: Artifact) -> "ArtifactRecord":
        """A snapshot of a row."""
        return cls(row.name, row.media_type, row.size, row.sha256, row.storage_key, row.revision, row.created_at)


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and the cursor of the page after them, if there is one."""

    jobs: tuple[JobRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How much of a stage is done: ``done`` tasks of ``total``, running ones counted by their fraction."""

    done: float
    total: int


def get(db: Database, job_id: UUID, owner: str) -> JobRecord:
    """One job.

    Raises:
      NotFound: There is none with this id, it is another owner's, or it was deleted.
    """
    with db.reading() as session:
        row = session.scalars(
            sa.select(Job).where(col(Job.id) == job_id, col(Job.owner) == owner, col(Job.deleted_at).is_(None))
        ).one_or_none()
        if row is None:
            raise no_job(job_id)
        return JobRecord.from_row(row)


def list_jobs(
    db: Database,
    owner: str,
    status: JobStatus | None = None,
    type: JobType | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """An owner's jobs, newest first, a page at a time.

    Raises:
      InputError: ``invalid_cursor``.
    """
    # Ids are UUIDv7: their order is the order of submission, and the primary key serves it.
    query = sa.select(Job).where(col(Job.owner) == owner, col(Job.deleted_at).is_(None)).order_by(col(Job.id).desc())
    if status is not None:
        query = query.where(col(Job.status) == status)
    if type is not None:
        query = query.where(col(Job.type) == type)
    if cursor is not None:
        query = query.where(col(Job.id) < _read_cursor(cursor))
    with db.reading() as session:
        rows = session.scalars(query.limit(limit + 1)).all()
        jobs = tuple(JobRecord.from_row(row) for row in rows[:limit])
    return Page(jobs, _write_cursor(jobs[-1].id) if len(rows) > limit else None)


def expired(job: JobRecord) -> bool:
    """Whether the job's files are past their time; retention removes them soon, if it has not yet."""
    return job.expires_at is not None and job.expires_at <= datetime.now(UTC)


def artifacts(db: Database, job_id: UUID) -> tuple[ArtifactRecord, ...]:
    """The published results of the job's current revision, by name."""
    with db.reading() as session:
        rows = session.scalars(_published(job_id).order_by(col(Artifact.name))).all()
        return tuple(ArtifactRecord.from_row(row) for row in rows)


def artifact(db: Database, job_id: UUID, name: str) -> ArtifactRecord:
    """One published result of the job's current revision.

    Raises:
      NotFound: The job has no such result; the hint says which it has.
    """
    found = {record.name: record for record in artifacts(db, job_id)}
    if name not in found:
        raise NotFound(
            f"This job has no {name}.",
            code="artifact_not_found",
            hint=f"It has: {', '.join(found)}." if found else "It has no results.",
        )
    return found[name]


def effective_artifact(db: Database, job_id: UUID, run: int, chunk: int, stage: Stage, name: str) -> ArtifactRecord:
    """What a stage left, as a task of ``run`` sees it: from the newest run up to it that has this stage and chunk.

    Raises:
      NotFound: That task left no such thing, or is not completed.
    """
    newest = (
        sa.select(sa.func.max(col(Task.run)))
        .where(col(Task.job_id) == job_id, col(Task.chunk) == chunk, col(Task.stage) == stage, col(Task.run) <= run)
        .scalar_subquery()
    )
    query = (
        sa.select(Artifact)
        .join(
            Task,
            sa.and_(
                col(Task.job_id) == col(Artifact.job_id),
                col(Task.run) == col(Artifact.run),
                col(Task.chunk) == col(Artifact.chunk),
                col(Task.stage) == col(Artifact.stage),
            ),
        )
        .where(
            col(Artifact.job_id) == job_id,
            col(Artifact.run) == newest,
            col(Artifact.chunk) == chunk,
            col(Artifact.stage) == stage,
            col(Artifact.name) == name,
            col(Task.status) == TaskStatus.COMPLETED,
        )
    )
    with db.reading() as session:
        row = session.scalars(query).one_or_none()
        if row is None:
            raise NotFound(f"{stage} of chunk {chunk} left no {name}.", code="artifact_not_found")
        return ArtifactRecord.from_row(row)


def stage_progress(db: Database, job_id: UUID) -> dict[Stage, StageProgress]:
    """How far each stage is, over its effective tasks; stages not planned yet are not in it."""
    done = sa.case(
        (col(Task.status) == TaskStatus.COMPLETED, 1.0),
        (col(Task.status) == TaskStatus.RUNNING, col(Task.progress)),
        else_=0.0,
    )
    query = sa.select(col(Task.stage), sa.func.sum(done), sa.func.count()).where(_effective(job_id))
    with db.reading() as session:
        rows = session.execute(query.group_by(col(Task.stage)))
        found = {stage: StageProgress(float(done), total) for stage, done, total in rows}
    return {stage: found[stage] for stage in Stage if stage in found}


def stage_seconds(db: Database, job_id: UUID) -> dict[Stage, float]:
    """Seconds that the last attempts of each stage's completed effective tasks took, summed over chunks."""
    query = sa.select(col(Task.stage), col(Task.started_at), col(Task.finished_at)).where(
        _effective(job_id), col(Task.status) == TaskStatus.COMPLETED
    )
    seconds: dict[Stage, float] = {}
    with db.reading() as session:
        for stage, started, finished in session.execute(query):
            if started and finished:
                seconds[stage] = seconds.get(stage, 0.0) + (finished - started).total_seconds()
    return seconds


def queue_position(db: Database, job_id: UUID) -> int | None:
    """Which of the queued jobs this one is, from 1, by priority and then by time; None when it is not queued."""
    waiting = (
        sa.select(
            col(Job.id).label("id"),
            col(Job.priority).label("priority"),
            sa.func.min(col(Task.queued_at)).label("since"),
        )
        .join(Task, sa.and_(col(Task.job_id) == col(Job.id), col(Task.run) == col(Job.run)))
        .where(col(Job.status) == JobStatus.QUEUED, col(Task.status) == TaskStatus.QUEUED)
        .group_by(col(Job.id), col(Job.priority))
        .subquery()
    )
    mine, other = waiting.alias(), waiting.alias()
    sooner = sa.or_(
        other.c.priority > mine.c.priority,
        sa.and_(
            other.c.priority == mine.c.priority,
            sa.or_(other.c.since < mine.c.since, sa.and_(other.c.since == mine.c.since, other.c.id < mine.c.id)),
        ),
    )
    with db.reading() as session:
        if session.scalars(sa.select(mine.c.id).where(mine.c.id == job_id)).one_or_none() is None:
            return None
        ahead = sa.select(sa.func.count()).select_from(mine.join(other, sooner)).where(mine.c.id == job_id)
        return session.scalars(ahead).one() + 1


def _published(job_id: UUID) -> sa.Select[Artifact]:
    return (
        sa.select(Artifact)
        .join(Job, col(Job.id) == col(Artifact.job_id))
        .where(
            col(Artifact.job_id) == job_id,
            col(Artifact.revision) > 0,
            col(Artifact.revision) == col(Job.revision),
        )
    )


def _effective(job_id: UUID) -> sa.ColumnElement[bool]:
    """A clause on ``Task``: the job's effective tasks. What is older than the newest plan belongs to none."""
    planned: Any = aliased(Task)
    newest_plan = (
        sa.select(sa.func.max(planned.run))
        .where(planned.job_id == job_id, planned.stage == Stage.PREPARE)
        .scalar_subquery()
    )
    return sa.and_(col(Task.job_id) == job_id, col(Task.run) >= newest_plan, is_newest())


def _write_cursor(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def _read_cursor(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise InputError(
            "The cursor is not one that a page of jobs gave.",
            code="invalid_cursor",
            hint="Use next_cursor of the last page as it is, or leave it out for the first.",
            field="cursor",
        ) from None
