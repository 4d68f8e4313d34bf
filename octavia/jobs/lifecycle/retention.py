"""Removal of expired files and events. Every function may run twice, be interrupted, and run concurrently."""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables import contents
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.queries import batches
from octavia.jobs.tables.rows import Artifact, Edit, Event, Job
from octavia.jobs.tables.states import JobStatus
from octavia.storage import Storage

_FOLDER = "jobs"
JOBS_AT_ONCE = 50
_KEYS_AT_ONCE = 200
_AT_REST = tuple(status for status in JobStatus if status.ended or status is JobStatus.PENDING)
"""States of jobs whose tasks write no files."""


def expire_jobs(db: Database, storage: Storage) -> int:
    """Remove the files of expired jobs at rest; the jobs stay, marked as expired.

    Rows are deleted first: if this is interrupted, no row names the remaining files, and ``sweep_orphans`` deletes
    them. Returns the number of jobs that lost files.
    """
    return delete_files(storage, lambda: _forget_files(db))


def delete_files(storage: Storage, forget: Callable[[], tuple[int, list[str]]]) -> int:
    """Delete the files of jobs whose rows ``forget`` deletes, batch by batch; returns the number of jobs.

    Parameters:
      forget: Returns the number of jobs, ``JOBS_AT_ONCE`` if there may be more, and the storage keys of their files.
    """
    total = 0
    while True:
        jobs, keys = forget()
        for key in keys:
            storage.delete(key)
        total += jobs
        if jobs < JOBS_AT_ONCE:
            return total


def sweep_orphans(db: Database, storage: Storage, min_age: float = 3600) -> int:
    """Delete files that no row names, left by failed attempts, interrupted uploads and crashes.

    Kept are the files of jobs that run, files younger than ``min_age`` seconds by the store's clock, and files outside
    a job's folder: the store may hold other people's files. Returns the number of deleted files.
    """
    newest = _clock_of(storage) - min_age
    old = (key for key, modified in storage.keys(_FOLDER) if modified < newest)
    total = 0
    for keys in batches(old, _KEYS_AT_ONCE):
        for key in _orphans(db, keys):
            storage.delete(key)
            total += 1
    return total


def prune_events(db: Database) -> int:
    """Delete the events of expired jobs; returns their number."""
    total = 0
    while True:
        pruned, events = _forget_events(db)
        total += events
        if pruned < JOBS_AT_ONCE:
            return total


def _clock_of(storage: Storage) -> float:
    """Read the store's clock: if this machine's were ahead, new uploads would look old."""
    folder = f"{_FOLDER}/{uuid4()}"
    stored = storage.put(f"{folder}/clock", b"")
    try:
        return max(modified for _, modified in storage.keys(folder))
    finally:
        storage.delete(stored.key)


@transaction
def _forget_files(session: Session) -> tuple[int, list[str]]:
    """Delete the file rows of some expired jobs; returns the number of jobs and the storage keys to delete."""
    has_files = sa.or_(
        col(Job.input)["key"].as_string().is_not(None),
        col(Job.input)["url"].as_string().is_not(None),
        col(Job.input)["text"].as_string().is_not(None),
        sa.exists().where(col(Artifact.job_id) == col(Job.id)),
    )
    # A job that another transaction has locked is about to change: leave it for the next time.
    found = sa.select(Job).where(_expired(now(session)), has_files).limit(JOBS_AT_ONCE)
    jobs = session.scalars(found.with_for_update(skip_locked=True, of=Job)).all()
    keys = [job.input["key"] for job in jobs if job.input.get("key")]
    for job in jobs:
        job.input = {name: value for name, value in job.input.items() if name not in ("key", "url", "text")}
    ids = [job.id for job in jobs]
    # Edits contain speech.
    session.execute(sa.delete(Edit).where(col(Edit.job_id).in_(ids)))
    stored = sa.select(col(Artifact.storage_key)).where(contents.IN_STORAGE, col(Artifact.job_id).in_(ids))
    keys += session.scalars(stored)
    session.execute(sa.delete(Artifact).where(col(Artifact.job_id).in_(ids)))
    return len(ids), keys


@transaction
def _forget_events(session: Session) -> tuple[int, int]:
    with_events = sa.exists().where(col(Event.job_id) == col(Job.id))
    query = sa.select(col(Job.id)).where(_expired(now(session)), with_events).limit(JOBS_AT_ONCE)
    ids = session.scalars(query).all()
    events = session.scalars(sa.delete(Event).where(col(Event.job_id).in_(ids)).returning(col(Event.seq))).all()
    return len(ids), len(events)


def _expired(moment: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(col(Job.expires_at) <= moment, col(Job.status).in_(_AT_REST))


def _orphans(db: Database, keys: Collection[str]) -> list[str]:
    jobs = {key: job for key in keys if (job := _job_of(key)) is not None}
    ids = set(jobs.values())
    alive = sa.select(col(Job.id)).where(col(Job.id).in_(ids), col(Job.status).not_in(_AT_REST))
    named = sa.select(col(Artifact.storage_key)).where(col(Artifact.storage_key).in_(jobs))
    with db.reading() as session:
        kept = set(session.scalars(named))
        kept |= {given.get("key") for given in session.scalars(sa.select(col(Job.input)).where(col(Job.id).in_(ids)))}
        live = set(session.scalars(alive))
    return [key for key, job in jobs.items() if key not in kept and job not in live]


def _job_of(key: str) -> UUID | None:
    """Read the job id in a storage key; None if there is none."""
    with suppress(ValueError):
        return UUID(key.split("/")[1])
    return None
