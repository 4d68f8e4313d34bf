"""The lengths of the chunks that a job was cut into, as its tasks tell them: each begins where the one before ends."""

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.newest_rows import IS_NEWEST
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import Stage


def of_run(session: Session, ref: TaskRef, first_stage: Stage) -> list[float]:
    """Read the seconds of the chunks that the run of a task has created so far, in order.

    Parameters:
      first_stage: The stage that each of the job's chunks begins with.
    """
    created = sa.select(col(Task.seconds)).where(
        col(Task.job_id) == ref.job_id, col(Task.run) == ref.run, col(Task.stage) == first_stage
    )
    return list(session.scalars(created.order_by(col(Task.chunk))))


def before(db: Database, ref: TaskRef) -> float:
    """Sum the seconds of the chunks before that of a task."""
    earlier = sa.select(sa.func.coalesce(sa.func.sum(col(Task.seconds)), 0.0)).where(
        col(Task.job_id) == ref.job_id, col(Task.stage) == ref.stage, col(Task.chunk) < ref.chunk, IS_NEWEST
    )
    with db.reading() as session:
        return float(session.scalars(earlier).one())
