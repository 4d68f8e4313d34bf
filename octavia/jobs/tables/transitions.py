"""All changes of a job's or task's status: by compare-and-set, and only along legal moves.

The end of an attempt is written down in the transaction that moves its task: ``attempts`` is complete, whoever ends it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col

from octavia.errors import Conflict, NotFound
from octavia.jobs.tables import counting, writes
from octavia.jobs.tables.database import count_changed, now
from octavia.jobs.tables.engine import PREPARED
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.records import Failure, TaskRef
from octavia.jobs.tables.rows import Job, Task, UTCDateTime, enum_type
from octavia.jobs.tables.states import AttemptOutcome, JobStatus, Stage, TaskStatus, check_job_move, check_task_move

_OUTCOMES: Final = {
    TaskStatus.COMPLETED: AttemptOutcome.COMPLETED,
    TaskStatus.QUEUED: AttemptOutcome.RETRYING,
    TaskStatus.FAILED: AttemptOutcome.FAILED,
    TaskStatus.CANCELED: AttemptOutcome.CANCELED,
}


def lock_job(session: Session, job_id: UUID) -> Job:
    """Read a job's row and lock it until the transaction ends; every transition starts with this.

    One lock for each job, taken first, puts the transitions of a job in order and prevents deadlocks between them.
    Raises ``NotFound`` if there is no such job.
    """
    wanted = sa.select(Job).where(col(Job.id) == job_id)
    job = session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if job is None:
        raise no_job(job_id)
    return job


def lock_owned(session: Session, job_id: UUID, owner: str | None) -> Job:
    """Lock a job on behalf of its owner, or with None of an operator.

    Raises ``NotFound`` if the owner has no such job, or it was deleted.
    """
    job = lock_job(session, job_id)
    if owner not in (job.owner, None) or job.deleted_at is not None:
        raise no_job(job_id)
    return job


def lock_task(session: Session, task_id: UUID) -> tuple[Job, Task] | None:
    """Read a task and its job, and lock both, the job first; None if the task is gone."""
    return session.execute(_LOCK_BY_ID, {"id_of_task": task_id}).one_or_none()


def lock_named(session: Session, ref: TaskRef) -> tuple[Job, Task] | None:
    """Do as ``lock_task`` with a task of that name."""
    return session.execute(_LOCK_BY_NAME, asdict(ref)).one_or_none()


def lock_running(session: Session, task_id: UUID, attempt: int) -> tuple[Job, Task] | None:
    """Do as ``lock_task`` with a task that still runs as this attempt; None if the lease was lost."""
    found = lock_task(session, task_id)
    if found is None or found[1].status is not TaskStatus.RUNNING or found[1].attempt != attempt:
        return None
    return found


def move_job(session: Session, job: Job, to: JobStatus, **changes: Any) -> None:
    """Change a locked job's status, and other columns with it, those that were set on ``job`` before included.

    Raises ``Conflict`` if the move is not legal, and when it is written if the row has another status than ``job``.
    """
    old = job.status
    check_job_move(old, to)
    # One statement instead of two.
    pending = {name: getattr(job, name) for name in sa.inspect(job).committed_state}
    key = {"id": job.id, "status": old}
    _write(session, job, key, {**pending, **changes, "status": to}, Conflict(f"The job is no longer {old}."))
    counting.job_moved(session, job, to, changes)


def move_task(session: Session, task: Task, to: TaskStatus, *, because: Failure | None = None, **changes: Any) -> None:
    """Change the status of a locked job's task, and other columns with it.

    Parameters:
      because: The reason why the running attempt ends; None takes the error in ``changes``, if any.

    Raises ``Conflict`` if the move is not legal, and when it is written if the row has another status or attempt than
    ``task``.
    """
    old = task.status
    check_task_move(old, to)
    # Made before the change, which clears some of its columns.
    ended = _ended(session, task, to, because, changes) if old is TaskStatus.RUNNING else None
    if ended is not None:
        counting.attempt_ended(session, task, ended["outcome"], ended["error_code"] or "")
        writes.insert(session, Attempt, **ended)
    elif to is TaskStatus.RUNNING:
        counting.task_claimed(session, task)
    key = {"id": task.id, "status": old, "attempt": task.attempt}
    _write(session, task, key, {**changes, "status": to}, Conflict(f"The task is no longer {old}."))


def queue_tasks(session: Session, ids: Sequence[UUID], **changes: Any) -> None:
    """Change tasks of a locked job from waiting to queued. Raises ``Conflict`` if one of them is not waiting."""
    check_task_move(TaskStatus.WAITING, TaskStatus.QUEUED)
    moved = sa.update(Task).where(col(Task.id).in_(ids), col(Task.status) == TaskStatus.WAITING)
    if count_changed(session, moved.values(status=TaskStatus.QUEUED, **changes)) != len(ids):
        raise Conflict("A task is no longer waiting.")


def cancel_tasks(session: Session, job: Job, statuses: Collection[TaskStatus], **changes: Any) -> None:
    """Cancel every task of a locked job, of any run, that has one of these statuses."""
    for status in statuses:
        check_task_move(status, TaskStatus.CANCELED)
    of_job = (col(Task.job_id) == job.id, col(Task.status).in_(statuses))
    writes.send(session)
    if TaskStatus.RUNNING in statuses:
        session.connection().execute(_ADD_CANCELED, {"id_of_job": job.id, "moment": now(session)})
        for task in session.scalars(sa.select(Task).where(*of_job)):
            counting.attempt_ended(session, task, AttemptOutcome.CANCELED, "")
    moved = sa.update(Task).where(*of_job)
    session.execute(moved.values(status=TaskStatus.CANCELED, **changes))


def no_job(job_id: UUID) -> NotFound:
    """Make the error for a missing job, or another owner's: the two must look alike."""
    return NotFound(
        f"There is no job {job_id}.", code="job_not_found", hint="List your jobs to see their ids.", field="job_id"
    )


def _write(
    session: Session, row: Job | Task, key: Mapping[str, Any], values: Mapping[str, Any], missing: Conflict
) -> None:
    """Change the row that has the values of ``key``, and ``row`` with it; ``missing`` is raised if there is none."""
    writes.change(session, type(row), key, values, missing=lambda: missing)
    for name, value in values.items():
        set_committed_value(row, name, value)


def _ended(
    session: Session, task: Task, to: TaskStatus, because: Failure | None, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the row of a running attempt that ends now."""
    return {
        "task_id": task.id,
        "number": task.attempt,
        "job_id": task.job_id,
        "stage": task.stage,
        "worker": task.worker or "",
        "queued_at": task.queued_at,
        "started_at": task.started_at or now(session),
        "ended_at": changes.get("finished_at") or now(session),
        "outcome": AttemptOutcome.GIVEN_BACK if "given_back" in changes else _OUTCOMES[to],
        "error_code": because.code if because else changes.get("error_code"),
        "error_message": because.message if because else changes.get("error_message"),
    }


def _canceled_attempts() -> sa.Insert:
    """Statement that writes down the end of every attempt of a job that runs."""
    moment, outcome = sa.bindparam("moment", type_=UTCDateTime()), sa.literal(AttemptOutcome.CANCELED.value)
    running = sa.select(
        col(Task.id),
        col(Task.attempt),
        col(Task.job_id),
        col(Task.stage),
        sa.func.coalesce(col(Task.worker), ""),
        col(Task.queued_at),
        sa.func.coalesce(col(Task.started_at), moment),
        moment,
        outcome,
    ).where(col(Task.job_id) == sa.bindparam("id_of_job", type_=sa.Uuid()), col(Task.status) == TaskStatus.RUNNING)
    names = ("task_id", "number", "job_id", "stage", "worker", "queued_at", "started_at", "ended_at", "outcome")
    attempts: Any = Attempt
    return sa.insert(attempts).from_select(names, running)


def _locking(*which: sa.ColumnElement[bool]) -> sa.Select[Job, Task]:
    """Statement that locks a job and one of its tasks: in this order, as they are named, and as they are then."""
    both = sa.select(Job, Task).join_from(Job, Task, col(Task.job_id) == col(Job.id)).where(*which)
    return both.with_for_update(of=(Job, Task)).execution_options(populate_existing=True, **{PREPARED: True})


# Built once: every attempt of every task begins and ends with them.
_ADD_CANCELED: Final = _canceled_attempts()
_LOCK_BY_ID: Final = _locking(col(Task.id) == sa.bindparam("id_of_task", type_=sa.Uuid()))
_LOCK_BY_NAME: Final = _locking(
    col(Task.job_id) == sa.bindparam("job_id", type_=sa.Uuid()),
    col(Task.run) == sa.bindparam("run", type_=sa.Integer()),
    col(Task.chunk) == sa.bindparam("chunk", type_=sa.Integer()),
    col(Task.stage) == sa.bindparam("stage", type_=enum_type(Stage)),
)
