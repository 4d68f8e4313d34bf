"""The rows of the files that a task leaves; a file without a row belongs to no job."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.jobs.protocol.readiness import ends_job
from octavia.jobs.tables import writes
from octavia.jobs.tables.database import now
from octavia.jobs.tables.records import NewArtifact
from octavia.jobs.tables.rows import Artifact, Job, Task
from octavia.jobs.tables.states import EARLY_FORMAT, Stage


def add_artifacts(session: Session, job: Job, task: Task, artifacts: Sequence[NewArtifact]) -> None:
    """Write down the files of a locked job's task. Files of names that it has left before stay as they were."""
    # Published results appear together with the revision that the job's last task completes.
    revision = job.revision + 1 if ends_job(job, task.stage) else 0
    known = _names(session, task) if task.stage is Stage.PREPARE and job.message_format >= EARLY_FORMAT else set()
    for new in artifacts:
        if new.name not in known:
            writes.insert(
                session,
                Artifact,
                id=uuid7(),
                job_id=job.id,
                run=task.run,
                chunk=task.chunk,
                stage=task.stage,
                name=new.name,
                media_type=new.media_type,
                size=new.size,
                sha256=new.sha256,
                storage_key=new.storage_key,
                content=new.content,
                revision=revision if new.published else 0,
                created_at=now(session),
            )


def _names(session: Session, task: Task) -> set[str]:
    left = sa.select(col(Artifact.name)).filter_by(job_id=task.job_id, run=task.run, chunk=task.chunk, stage=task.stage)
    return set(session.scalars(left))
