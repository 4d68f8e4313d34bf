"""Deletion of jobs by their owners: hidden at once, and removed from the disk an hour later."""

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.lifecycle import retention
from octavia.jobs.protocol.cancel import request_cancel
from octavia.jobs.tables import contents
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.rows import Artifact, IdempotencyKey, Job
from octavia.jobs.tables.states import JobStatus
from octavia.jobs.tables.transitions import lock_owned
from octavia.storage import Storage


@transaction
def remove(session: Session, job_id: UUID, owner: str) -> None:
    """Delete a job and, if it has not ended, cancel it. Raises ``NotFound`` if the owner has no such job (any more)."""
    remove_locked(session, lock_owned(session, job_id, owner))


def remove_locked(session: Session, job: Job) -> None:
    """Do so with a job that is locked already."""
    job.deleted_at = now(session)
    if not job.status.ended and job.cancel_requested_at is None:
        request_cancel(session, job)


def sweep(db: Database, storage: Storage, *, min_age: timedelta = timedelta(hours=1)) -> int:
    """Remove the rows and files of jobs that were deleted ``min_age`` ago; returns the number of jobs.

    Jobs with a running task are left for the next sweep: a worker may be writing. Rows are deleted first: if this is
    interrupted, no row names the remaining files, and they are swept as orphans.
    """
    return retention.delete_files(storage, lambda: _forget(db, min_age))


@transaction
def _forget(session: Session, min_age: timedelta) -> tuple[int, list[str]]:
    """Delete the rows of some deleted jobs; returns their number and the storage keys to delete."""
    at_rest = [status for status in JobStatus if status.ended]
    old = sa.select(Job).where(col(Job.deleted_at) <= now(session) - min_age, col(Job.status).in_(at_rest))
    jobs = session.scalars(old.limit(retention.JOBS_AT_ONCE).with_for_update(skip_locked=True)).all()
    ids = [job.id for job in jobs]
    files = sa.select(col(Artifact.storage_key)).where(contents.IN_STORAGE, col(Artifact.job_id).in_(ids))
    keys = [*session.scalars(files), *(job.input["key"] for job in jobs if "key" in job.input)]
    session.execute(sa.delete(IdempotencyKey).where(col(IdempotencyKey.job_id).in_(ids)))
    # Tasks, attempts, artifacts, events and webhooks are deleted by cascade.
    session.execute(sa.delete(Job).where(col(Job.id).in_(ids)))
    return len(ids), keys
