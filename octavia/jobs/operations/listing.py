"""Lists of jobs for operators: those that a filter matches, newest first, in pages."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.operations.conditions import Clause, conditions, visible
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
        total = _count(session, where)
        query = sa.select(Job).where(*where).order_by(col(Job.id).desc()).limit(limit + 1)
        if after is not None:
            query = query.where(col(Job.id) < after)
        rows = session.scalars(query).all()
        attempts = count_attempts(session, [row.id for row in rows])
        jobs = tuple(ListedJob(JobRecord.from_row(row), attempts.get(row.id, 0)) for row in rows[:limit])
    next_cursor = write_cursor(jobs[-1].job.id) if len(rows) > limit else None
    return Page(jobs, next_cursor, min(total, MOST_COUNTED), total > MOST_COUNTED)


def count_attempts(session: Session, job_ids: Collection[UUID]) -> dict[UUID, int]:
    """Count the attempts of some jobs, over all their tasks; jobs without any are left out."""
    job_id = col(Task.job_id)
    counted = sa.select(job_id, sa.func.sum(col(Task.attempt))).where(job_id.in_(job_ids)).group_by(job_id)
    return {row[0]: int(row[1]) for row in session.execute(counted)}


def _count(session: Session, where: Collection[Clause]) -> int:
    """Count jobs, up to one more than ``MOST_COUNTED``."""
    found = sa.select(col(Job.id)).where(*where).limit(MOST_COUNTED + 1).subquery()
    return session.scalars(sa.select(sa.func.count()).select_from(found)).one()
