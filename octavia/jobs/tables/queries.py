"""Queries about jobs and their results; they change nothing."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import NotFound
from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.cursors import read_cursor, write_cursor
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.engine import PREPARED
from octavia.jobs.tables.records import JobRecord, TaskRef, copied
from octavia.jobs.tables.rows import Artifact, Job, Task
from octavia.jobs.tables.states import JobStatus, JobType, Priority, Stage, TaskStatus
from octavia.jobs.tables.transitions import no_job

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A stored file of a job.

    Parameters:
      size: Bytes.
      revision: 0 for a file that one stage left for the next.
      content: Its bytes, if its row holds them; see ``contents``.
      partial: The file is shown because the job did not complete.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    storage_key: str
    revision: int
    created_at: datetime
    content: bytes | None = field(default=None, repr=False)
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and the cursor of the next page; None on the last one."""

    jobs: tuple[JobRecord, ...]
    next_cursor: str | None


# Built once: whoever waits for a job asks it again and again.
_JOB: Final = (
    sa.select(Job)
    .where(col(Job.id) == sa.bindparam("id_of_job", type_=sa.Uuid()), col(Job.deleted_at).is_(None))
    .execution_options(**{PREPARED: True})
)


def get(db: Database, job_id: UUID, owner: str) -> JobRecord:
    """Read a job. Raises ``NotFound`` if the owner has no such job, or it was deleted."""
    with db.reading() as session:
        return find_job(session, job_id, owner)


def find_job(session: Session, job_id: UUID, owner: str | None) -> JobRecord:
    """Read a job as ``get`` does, within a session; ``owner`` None reads any owner's."""
    row = session.scalars(_JOB, {"id_of_job": job_id}).one_or_none()
    if row is None or owner not in (row.owner, None):
        raise no_job(job_id)
    return _record(session, row)


def statuses(db: Database, job_ids: Collection[UUID]) -> dict[UUID, JobStatus]:
    """Read the status of jobs of any owner; missing and deleted ones are left out."""
    wanted = sa.select(col(Job.id), col(Job.status)).where(col(Job.id).in_(job_ids), col(Job.deleted_at).is_(None))
    with db.reading() as session:
        return {row.id: row.status for row in session.execute(wanted)}


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that a listed job must meet; None means any.

    Parameters:
      created_after: Inclusive.
      created_before: Exclusive.
      meta: Values of metadata fields, as text: strings, or numbers and booleans as JSON writes them.
    """

    status: JobStatus | None = None
    type: JobType | None = None
    priority: Priority | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    meta: Mapping[str, str] = field(default_factory=dict)


def list_jobs(
    db: Database, owner: str, filters: Filters | None = None, cursor: str | None = None, limit: int = 50
) -> Page:
    """List an owner's jobs, newest first, a page at a time. Raises ``InputError`` (``invalid_cursor``)."""
    # An index serves this order, which is that of submission.
    query = sa.select(Job).where(col(Job.owner) == owner, col(Job.deleted_at).is_(None)).order_by(col(Job.id).desc())
    if cursor is not None:
        query = query.where(col(Job.id) < read_cursor(cursor))
    with db.reading() as session:
        on_postgres = session.get_bind().dialect.name == "postgresql"
        query = query.where(*_clauses(filters or Filters(), on_postgres=on_postgres))
        rows = session.scalars(query.limit(limit + 1)).all()
        jobs = tuple(_record(session, row) for row in rows[:limit])
    return Page(jobs, write_cursor(jobs[-1].id) if len(rows) > limit else None)


def artifacts(db: Database, job_id: UUID, revision: int | None = None) -> tuple[ArtifactRecord, ...]:
    """Read the published results of a revision of the job, by name; None is the current revision."""
    of_revision = col(Artifact.revision) == (col(Job.revision) if revision is None else revision)
    published = sa.select(Artifact).where(col(Artifact.job_id) == job_id, col(Artifact.revision) > 0, of_revision)
    published = published.join(Job, col(Job.id) == col(Artifact.job_id))
    with db.reading() as session:
        rows = session.scalars(published.order_by(col(Artifact.name)))
        return tuple(copied(ArtifactRecord, row, partial=False) for row in rows)


def artifact(db: Database, job_id: UUID, name: str, revision: int | None = None) -> ArtifactRecord:
    """Read one published result of a revision of the job; None is the current revision.

    Raises ``NotFound`` if the job has no such result; the hint lists the ones it has.
    """
    found = {record.name: record for record in artifacts(db, job_id, revision)}
    if name not in found:
        raise NotFound(
            f"This job has no {name}{f' of revision {revision}' if revision else ''}.",
            code="artifact_not_found",
            hint=f"It has: {', '.join(found)}." if found else "It has no results.",
        )
    return found[name]


def newest_artifact(db: Database, job_id: UUID, run: int, chunk: int, stage: Stage, name: str) -> ArtifactRecord:
    """Read a file that a stage left in a chunk, as a task of ``run`` sees it: from the newest run up to that one.

    A task leaves files when it completes, and ``prepare`` those of chunks that it releases before. Raises ``NotFound``
    if the newest task of this stage and chunk has left no such file.
    """
    of_stage = (col(Task.job_id) == job_id, col(Task.chunk) == chunk, col(Task.stage) == stage)
    newest = sa.select(sa.func.max(col(Task.run))).where(*of_stage, col(Task.run) <= run).scalar_subquery()
    left = sa.select(Artifact).filter_by(job_id=job_id, run=newest, chunk=chunk, stage=stage, name=name)
    with db.reading() as session:
        row = session.scalars(left).one_or_none()
        if row is None:
            raise NotFound(f"{stage} of chunk {chunk} left no {name}.", code="artifact_not_found")
        return copied(ArtifactRecord, row, partial=False)


def former_artifact(db: Database, ref: TaskRef, name: str) -> ArtifactRecord | None:
    """Read a file that an earlier run of this task left, the newest completed one; None if there is none."""
    left = sa.select(Artifact).where(col(Artifact.name) == name)
    former = left.join(Task, made_by_task()).where(
        col(Task.job_id) == ref.job_id,
        col(Task.chunk) == ref.chunk,
        col(Task.stage) == ref.stage,
        col(Task.status) == TaskStatus.COMPLETED,
        col(Task.run) < ref.run,
    )
    with db.reading() as session:
        row = session.scalars(former.order_by(col(Task.run).desc()).limit(1)).one_or_none()
        return None if row is None else copied(ArtifactRecord, row, partial=False)


def stage_seconds(db: Database, job_id: UUID) -> dict[Stage, float]:
    """Sum, by stage, the seconds that the newest completed tasks took in their last attempts."""
    query = sa.select(col(Task.stage), col(Task.started_at), col(Task.finished_at)).where(
        newest_rows.is_newest_of_job(job_id), col(Task.status) == TaskStatus.COMPLETED
    )
    seconds: dict[Stage, float] = {}
    with db.reading() as session:
        for stage, started, finished in session.execute(query):
            if started and finished:
                seconds[stage] = seconds.get(stage, 0.0) + (finished - started).total_seconds()
    return seconds


def made_by_task() -> sa.ColumnElement[bool]:
    """Clause that joins an artifact to the task that left it."""
    return sa.and_(
        col(Task.job_id) == col(Artifact.job_id),
        col(Task.run) == col(Artifact.run),
        col(Task.chunk) == col(Artifact.chunk),
        col(Task.stage) == col(Artifact.stage),
    )


def share_done() -> sa.ColumnElement[float]:
    """Share of a task that is done, 0–1."""
    return sa.case(
        (col(Task.status) == TaskStatus.COMPLETED, 1.0),
        (col(Task.status) == TaskStatus.RUNNING, col(Task.progress)),
        else_=0.0,
    )


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut items into lists of ``size``, for queries that name each; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _clauses(filters: Filters, *, on_postgres: bool) -> Iterator[sa.ColumnElement[bool]]:
    if filters.status is not None:
        yield col(Job.status) == filters.status
    if filters.type is not None:
        yield col(Job.type) == filters.type
    if filters.priority is not None:
        yield col(Job.priority) == filters.priority.level
    if filters.created_after is not None:
        yield col(Job.created_at) >= filters.created_after
    if filters.created_before is not None:
        yield col(Job.created_at) < filters.created_before
    for name, value in filters.meta.items():
        yield has_meta(name, value, on_postgres=on_postgres)


def _record(session: Session, job: Job) -> JobRecord:
    return JobRecord.from_row(job, expired=job.expires_at is not None and job.expires_at <= now(session))


def has_meta(name: str, value: str, *, on_postgres: bool) -> sa.ColumnElement[bool]:
    """Clause on ``Job``: its metadata has this scalar value, compared as text."""
    if on_postgres:
        text = sa.cast(col(Job.meta), JSONB).op("->>")(name)
        kind = sa.func.jsonb_typeof(sa.cast(col(Job.meta), JSONB).op("->")(name))
        return sa.and_(text == value, kind.not_in(["object", "array"]))
    # SQLite reads true as 1.
    if name.isascii() and name.isprintable() and not set(name) & {'"', "\\"}:
        path = f'$."{name}"'
        kind = sa.func.json_type(col(Job.meta), path)
        # In this order: most jobs need no second look into their metadata.
        is_text = sa.and_(
            sa.cast(sa.func.json_extract(col(Job.meta), path), sa.Text) == value,
            kind.not_in(["true", "false", "object", "array"]),
        )
        return sa.or_(is_text, kind == value) if value in ("true", "false") else is_text
    # A path cannot name every key.
    entry = sa.func.json_each(col(Job.meta)).table_valued("key", "atom", "type")
    scalar = sa.case((entry.c.type.in_(["true", "false"]), entry.c.type), else_=sa.cast(entry.c.atom, sa.Text))
    return sa.exists(sa.select(entry.c.key).where(entry.c.key == name, scalar == value))
