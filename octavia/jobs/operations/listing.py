"""Lists of jobs for operators: those that a filter matches, newest first, in pages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.operations.conditions import conditions, visible
from octavia.jobs.operations.filters import parse
from octavia.jobs.tables.cursors import read_cursor, write_cursor
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Job, Task

MOST_COUNTED: Final = 10_000
"""Counting goes on up to this: nobody reads the difference between larger numbers, and it would take time."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job, and the number of attempts that its tasks have taken."""

    job: JobRecord
    attempts: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first.

    Parameters:
      next_cursor: None on the last page.
      total: Number of jobs on all pages, at most ``MOST_COUNTED``; ``capped`` says that there are more.
    """

    jobs: tuple[ListedJob, ...]
    next_cursor: str | None
    total: int
    capped: bool


def list_jobs(db: Database, owner: str | None, filter: str = "", cursor: str | None = None, limit: int = 50) -> Page:
    """List the jobs that a filter matches. Raises ``InputError`` as ``filters.parse`` does, or ``invalid_cursor``."""
    terms = parse(filter)
    after = None if cursor is None else read_cursor(cursor)
    with db.reading() as session:
        where = [*visible(owner), *conditions(session, terms)]
        total, ids = _find(session, sa.select(col(Job.id)).where(*where), after, limit + 1)
        rows = session.scalars(sa.select(Job).where(col(Job.id).in_(ids[:limit])).order_by(col(Job.id).desc()))
        attempts = count_attempts(session, ids[:limit])
        jobs = tuple(ListedJob(JobRecord.from_row(row), attempts.get(row.id, 0)) for row in rows)
    next_cursor = write_cursor(jobs[-1].job.id) if len(ids) > limit else None
    return Page(jobs, next_cursor, min(total, MOST_COUNTED), total > MOST_COUNTED)


def count_attempts(session: Session, job_ids: Collection[UUID]) -> dict[UUID, int]:
    """Count the attempts of some jobs, over all their tasks; jobs without any are left out."""
    job_id = col(Task.job_id)
    counted = sa.select(job_id, sa.func.sum(col(Task.attempt))).where(job_id.in_(job_ids)).group_by(job_id)
    return {row[0]: int(row[1]) for row in session.execute(counted)}


def _find(session: Session, wanted: sa.Select[UUID], after: UUID | None, limit: int) -> tuple[int, Sequence[UUID]]:
    """Count jobs, up to one more than ``MOST_COUNTED``, and read the ids of a page, looking once if possible."""
    newest = wanted.order_by(col(Job.id).desc())
    counted = newest.limit(MOST_COUNTED + 1).subquery()
    if after is None:
        page = sa.select(counted.c.id, sa.func.count().over()).order_by(counted.c.id.desc()).limit(limit)
        rows = session.execute(page).all()
        return rows[0][1] if rows else 0, [row[0] for row in rows]
    total = session.scalars(sa.select(sa.func.count()).select_from(counted)).one()
    return total, session.scalars(newest.where(col(Job.id) < after).limit(limit)).all()
