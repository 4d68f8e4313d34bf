"""Partial results: the files that finished chunks left in a job that failed or was canceled."""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import defer
from sqlmodel import col

from octavia.errors import NotFound
from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import ArtifactRecord, made_by_task
from octavia.jobs.tables.records import copied
from octavia.jobs.tables.rows import Artifact, Job, Task
from octavia.jobs.tables.states import JobStatus, TaskStatus

FOLDER = "partial/"
"""The start of their names."""

_CONTENT: Final[Any] = Artifact.content


def artifacts(db: Database, job_id: UUID) -> tuple[ArtifactRecord, ...]:
    """List the partial results of a job that failed or was canceled; any other job has none.

    Their names are like ``partial/transcribe/0003/transcript.json``.
    """
    left = (
        sa.select(Artifact)
        # The bytes of all of them may be many.
        .options(defer(_CONTENT))
        .join(Task, made_by_task())
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(
            newest_rows.is_newest_of_job(job_id),
            col(Task.chunk) >= 0,
            col(Task.status) == TaskStatus.COMPLETED,
            col(Job.status).in_([JobStatus.FAILED, JobStatus.CANCELED]),
        )
    )
    with db.reading() as session:
        rows = session.scalars(left.order_by(col(Artifact.stage), col(Artifact.chunk), col(Artifact.name)))
        names = ((row, f"{FOLDER}{row.stage}/{row.chunk:04d}/{row.name}") for row in rows)
        return tuple(copied(ArtifactRecord, row, name=name, content=None, partial=True) for row, name in names)


def artifact(db: Database, job_id: UUID, name: str) -> ArtifactRecord:
    """Read one partial result. Raises ``NotFound`` if the job has no such one."""
    for found in artifacts(db, job_id):
        if found.name == name:
            content = sa.select(_CONTENT).filter_by(job_id=job_id, storage_key=found.storage_key)
            with db.reading() as session:
                return replace(found, content=session.scalars(content.limit(1)).one_or_none())
    raise NotFound(
        f"This job has no {name[:200]}.",
        code="artifact_not_found",
        hint="List its artifacts: only jobs that failed or were canceled have partial ones.",
    )
