"""The failures of the last hour or day, by error code, with some jobs of each to look into."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.operations.conditions import visible
from octavia.jobs.operations.statistics import Window
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import JobStatus, Stage

_SAMPLES: Final = 5
_MOST_CODES: Final = 50


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that failed."""

    job_id: UUID
    owner: str
    message: str
    stage: Stage | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class FailureCode:
    """An error code, the number of jobs that failed with it, and the newest of them."""

    code: str
    count: int
    samples: tuple[FailedJob, ...]


def by_code(db: Database, window: Window, owner: str | None) -> tuple[FailureCode, ...]:
    """Count the jobs that failed within a window, by error code, the most frequent first."""
    code, finished_at = col(Job.error_code), col(Job.finished_at)
    with db.reading() as session:
        failed = [col(Job.status) == JobStatus.FAILED, finished_at > now(session) - window.length, *visible(owner)]
        counted = sa.select(code, sa.func.count()).where(*failed, code.is_not(None)).group_by(code)
        rows = session.execute(counted.order_by(sa.func.count().desc(), code).limit(_MOST_CODES)).all()
        found = []
        for name, count in rows:
            columns = (col(Job.id), col(Job.owner), col(Job.error_message), col(Job.stage), finished_at)
            newest = sa.select(*columns).where(*failed, code == name).order_by(finished_at.desc()).limit(_SAMPLES)
            samples = tuple(
                FailedJob(job_id, who, message or "", stage, at)
                for job_id, who, message, stage, at in session.execute(newest)
            )
            found.append(FailureCode(str(name), count, samples))
        return tuple(found)
