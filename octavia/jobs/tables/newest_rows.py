"""Which rows count: of all runs of one stage of one chunk, the newest. A run has rows only for what it redoes."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import WHOLE_JOB, Stage, TaskStatus

_LATER: Any = aliased(Task)

_IS_NEWEST: Final[sa.ColumnElement[bool]] = ~sa.exists().where(
    _LATER.job_id == col(Task.job_id),
    _LATER.chunk == col(Task.chunk),
    _LATER.stage == col(Task.stage),
    _LATER.run > col(Task.run),
)


def is_newest() -> sa.ColumnElement[bool]:
    """A clause on ``Task``: no later run has the same stage of the same chunk."""
    return _IS_NEWEST


def has_known_stage() -> sa.ColumnElement[bool]:
    """A clause on ``Task``: this release knows the stage. One of a newer release's must not end a look at all tasks."""
    return col(Task.stage).in_(tuple(Stage))


def is_newest_of_job(job_id: UUID | sa.BindParameter[UUID]) -> sa.ColumnElement[bool]:
    """A clause on ``Task``: the job's effective tasks. What is older than the newest plan belongs to none."""
    planned: Any = aliased(Task)
    newest_plan = (
        sa.select(sa.func.max(planned.run))
        .where(planned.job_id == job_id, planned.stage == Stage.PREPARE)
        .scalar_subquery()
    )
    return sa.and_(col(Task.job_id) == job_id, col(Task.run) >= newest_plan, is_newest())


def newest_statuses(session: Session, job: Job, stage: Stage, chunks: Collection[int]) -> dict[int, TaskStatus]:
    """The effective status of one stage in some chunks; a chunk that never had the stage is absent."""
    rows = sa.select(col(Task.chunk), col(Task.status)).where(
        col(Task.job_id) == job.id, col(Task.stage) == stage, col(Task.chunk).in_(chunks)
    )
    # In the order of runs, so that the newest one's entry is what remains.
    return {row.chunk: row.status for row in session.execute(rows.order_by(col(Task.run)))}


def count_completed(session: Session, job: Job, stage: Stage) -> int:
    """In how many of the job's chunks a stage is completed; an earlier plan may have had more chunks than now."""
    rows = sa.select(sa.func.count()).where(
        col(Task.job_id) == job.id,
        col(Task.stage) == stage,
        col(Task.chunk) >= 0,
        col(Task.chunk) < (job.chunks_total or 0),
        col(Task.status) == TaskStatus.COMPLETED,
        is_newest(),
    )
    return session.scalars(rows).one()


def newest_tasks(session: Session, job: Job) -> dict[tuple[int, Stage], Task]:
    """Every effective task of the job. What is older than the newest ``prepare`` belongs to a plan that is gone."""
    rows = session.scalars(sa.select(Task).where(col(Task.job_id) == job.id).order_by(col(Task.run))).all()
    newest = {(task.chunk, task.stage): task for task in rows}
    prepare = newest.get((WHOLE_JOB, Stage.PREPARE))
    return {key: task for key, task in newest.items() if prepare is not None and task.run >= prepare.run}


def find_task(session: Session, job_id: UUID, run: int, chunk: int, stage: Stage) -> Task | None:
    """The one task of that name."""
    named = sa.select(Task).where(
        col(Task.job_id) == job_id, col(Task.run) == run, col(Task.chunk) == chunk, col(Task.stage) == stage
    )
    return session.scalars(named.execution_options(populate_existing=True)).one_or_none()
