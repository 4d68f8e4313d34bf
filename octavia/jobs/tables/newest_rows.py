"""The task rows that count: of all runs of one stage of one chunk, the newest.

A run writes rows only for the tasks that it redoes; the others are taken from earlier runs. For example, a job with one
chunk, an edit in run 2 and a retry from ``synthesize`` in run 3:

============  =====  =====  =====  ==================
stage         run 1  run 2  run 3  newest row (state)
============  =====  =====  =====  ==================
prepare       done   --     --     run 1, done
transcribe    done   --     --     run 1, done
translate     done   done   --     run 2, done
synthesize    done   done   queued run 3, queued
assemble      done   done   --     run 2, done
============  =====  =====  =====  ==================

Run 3 gets its ``assemble`` row when its chunks are done.
"""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import WHOLE_JOB, Stage, TaskStatus

_LATER: Any = aliased(Task)

IS_NEWEST: Final[sa.ColumnElement[bool]] = ~sa.exists().where(
    _LATER.job_id == col(Task.job_id),
    _LATER.chunk == col(Task.chunk),
    _LATER.stage == col(Task.stage),
    _LATER.run > col(Task.run),
)
"""Clause on ``Task``: no later run has a row for its stage and chunk."""

HAS_KNOWN_STAGE: Final = col(Task.stage).in_(tuple(Stage))
"""Clause on ``Task``: this release knows its stage. A newer release's stage must not break a read of all tasks."""


def is_newest_of_job(job_id: UUID | sa.BindParameter[UUID]) -> sa.ColumnElement[bool]:
    """Clause on ``Task``: it is among the job's newest, and not older than the newest ``prepare``, which plans anew.

    A text of one piece has no ``prepare``.
    """
    planned: Any = aliased(Task)
    plans = sa.select(sa.func.max(planned.run)).where(planned.job_id == job_id, planned.stage == Stage.PREPARE)
    newest_plan = sa.func.coalesce(plans.scalar_subquery(), 0)
    return sa.and_(col(Task.job_id) == job_id, col(Task.run) >= newest_plan, IS_NEWEST)


def newest_statuses(session: Session, job: Job, stage: Stage, chunks: Collection[int]) -> dict[int, TaskStatus]:
    """Read the newest status of one stage in some chunks; chunks that do not have the stage are absent.

    While the job's chunks are not all known, those of earlier runs are of an earlier plan and do not count.
    """
    rows = sa.select(col(Task.chunk), col(Task.status)).where(
        col(Task.job_id) == job.id, col(Task.stage) == stage, col(Task.chunk).in_(chunks)
    )
    if job.chunks_total is None:
        rows = rows.where(col(Task.run) == job.run)
    # In the order of runs, so that the newest run's entry remains.
    return {row.chunk: row.status for row in session.execute(rows.order_by(col(Task.run)))}


def count_completed(session: Session, job: Job, stage: Stage) -> int:
    """Count the job's chunks in which a stage is completed; extra chunks of an earlier plan do not count."""
    completed = (
        sa.select(sa.func.count()).select_from(Task).filter_by(job_id=job.id, stage=stage, status=TaskStatus.COMPLETED)
    )
    planned = completed.where(col(Task.chunk) >= 0, col(Task.chunk) < (job.chunks_total or 0), IS_NEWEST)
    return session.scalars(planned).one()


def newest_tasks(session: Session, job: Job) -> dict[tuple[int, Stage], Task]:
    """Read the job's newest tasks, without those older than the newest ``prepare``, whose plan is gone."""
    rows = session.scalars(sa.select(Task).where(col(Task.job_id) == job.id).order_by(col(Task.run))).all()
    newest = {(task.chunk, task.stage): task for task in rows}
    prepare = newest.get((WHOLE_JOB, Stage.PREPARE))
    return {key: task for key, task in newest.items() if prepare is None or task.run >= prepare.run}


def find_task(session: Session, ref: TaskRef) -> Task | None:
    """Read one task, as it is in the database now."""
    named = sa.select(Task).filter_by(**asdict(ref))
    return session.scalars(named.execution_options(populate_existing=True)).one_or_none()
