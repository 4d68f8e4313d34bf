"""The number of jobs of each status."""

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.operations.conditions import Clause, visible
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import JobStatus


def count_jobs(db: Database, owner: str | None) -> dict[JobStatus, int]:
    """Count the jobs of each status; 0 for one that no job has."""
    with db.reading() as session:
        if owner is not None:
            return _by_status(session, *visible(owner))
        # Both read only an index, and there are few deleted ones.
        every, deleted = _by_status(session), _by_status(session, col(Job.deleted_at).is_not(None))
        return {status: max(every[status] - deleted[status], 0) for status in JobStatus}


def _by_status(session: Session, *where: Clause) -> dict[JobStatus, int]:
    status = col(Job.status)
    counted = session.execute(sa.select(status, sa.func.count()).where(*where).group_by(status))
    return dict.fromkeys(JobStatus, 0) | {row[0]: row[1] for row in counted}
