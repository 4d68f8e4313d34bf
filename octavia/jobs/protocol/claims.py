"""Claims of tasks: taking one, renewing its lease, giving it back, and losing it."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol import outbox, progress
from octavia.jobs.protocol.cancel import cancel_running, is_wanted
from octavia.jobs.protocol.enqueue import requeue
from octavia.jobs.protocol.failing import fail_job, task_fields, tries, try_again
from octavia.jobs.tables import events, newest_rows, pauses
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.records import Claim, Death, Failure, HeardSegment, JobRecord, Renewal, TaskRef
from octavia.jobs.tables.rows import Event, Job, Task
from octavia.jobs.tables.states import JobStatus, TaskStatus, queue_of
from octavia.jobs.tables.transitions import lock_job, lock_named, lock_running, move_job, move_task

_PROGRESS_PAUSE: Final = timedelta(seconds=1)
_UNSEEN: Final = Death(
    "ended without a word", "Look into the worker's log (most often it ran out of memory), then retry the job."
)
_STOPPING: Final = Failure("worker_stopping", "Its worker stopped.", "", retryable=True)


class Refusal(StrEnum):
    """The reason why a message's task cannot be claimed; the message can be dropped in each case."""

    UNKNOWN = "unknown_task"
    OLD_RUN = "old_run"
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


class NotClaimable(Exception):
    """The message's task cannot be claimed: the message is a duplicate, or late."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class QueuePaused(Exception):
    """The task could be claimed, but its queue is paused here: give the message back."""


@transaction
def claim(session: Session, ref: TaskRef, worker: str, *, lease: float, host: str = "") -> Claim:
    """Take a queued task for ``lease`` seconds; of several workers at once, one gets it.

    Parameters:
      worker: The worker's id, by which ``expire_leases`` and ``release_all`` find its tasks.
      host: The worker's host, by which its workers are paused; empty: only pauses of all hosts concern it.

    Raises:
      NotClaimable: With the reason; drop the message.
      QueuePaused: No claim begins after a pause was committed, however late the worker hears of it.
    """
    found = lock_named(session, ref)
    if found is None or found[0].deleted_at is not None:
        raise NotClaimable(Refusal.UNKNOWN)
    job, task = found
    if task.status is not TaskStatus.QUEUED or task.run != job.run:
        raise NotClaimable(_refusal(job, task))
    # Looked for with the writes: after the lock on the job, which may have been waited for.
    pauses.refuse_if_held(session, queue_of(task.stage), host, QueuePaused)
    moment = now(session)
    move_task(
        session,
        task,
        TaskStatus.RUNNING,
        attempt=task.attempt + 1,
        worker=worker,
        lease_until=moment + timedelta(seconds=lease),
        started_at=moment,
        progress=0.0,
        released_at=None,
    )
    outbox.settle(session, task.id)
    first = job.status is JobStatus.QUEUED
    if first:
        events.emit(session, job, "started", {"run": job.run})
    events.emit(session, job, "stage", {**task_fields(task), "status": "started"})
    progress.refresh(session, job, task)
    if first:
        move_job(session, job, JobStatus.PROCESSING, started_at=moment)
    return Claim(task.id, ref, task.attempt, task.seconds, JobRecord.from_row(job))


@transaction
def renew(session: Session, task_id: UUID, attempt: int, *, lease: float) -> Renewal:
    """Hold a task for ``lease`` seconds from now, and ask whether its result is still wanted."""
    until = now(session) + timedelta(seconds=lease)
    # No lock on the job: renewing must not wait for the job's other tasks.
    renewed = sa.update(Task).where(_is_held(task_id, attempt)).values(lease_until=until)
    return _renewal(session, session.scalars(renewed.returning(Task)).one_or_none())


def check(db: Database, task_id: UUID, attempt: int) -> Renewal:
    """Ask whether a task is still held and its result wanted, without renewing the lease."""
    with db.reading() as session:
        return _renewal(session, session.scalars(sa.select(Task).where(_is_held(task_id, attempt))).one_or_none())


@transaction
def record_progress(
    session: Session, task_id: UUID, attempt: int, fraction: float, heard: Sequence[HeardSegment] = ()
) -> None:
    """Store an attempt's progress, 0–1; it is sent as an event at most once a second.

    Parameters:
      heard: The segments recognised since the last call; their events are sent at once.
    """
    done = min(1.0, max(0.0, fraction))
    mine = sa.update(Task).where(_is_held(task_id, attempt))
    # The job is locked only if there is an event to send, and then before the task, as everywhere.
    job_id = session.scalars(sa.select(col(Task.job_id)).where(col(Task.id) == task_id)).one_or_none()
    if job_id is None:
        return
    if not heard and _progress_sent_lately(session, job_id):
        session.execute(mine.values(progress=done))
        return
    job = lock_job(session, job_id)
    task = session.scalars(mine.values(progress=done).returning(Task)).one_or_none()
    if task is None or not is_wanted(job, task):
        return
    progress.emit_segments(session, job, task, heard)
    if not _progress_sent_lately(session, job_id):
        progress.refresh(session, job, task)
        events.emit(session, job, "progress", {"progress": job.progress, "stage": job.stage and job.stage.value})


@transaction
def give_back(session: Session, task_id: UUID, attempt: int, because: Failure = _STOPPING) -> None:
    """Return an unfinished task because its worker must stop: it is queued at once, and the attempt does not count.

    The attempt's number is not used again, so that a repetition of this call cannot take the task from the next
    worker.

    Parameters:
      because: The reason that is written down with the attempt; no error of the task.
    """
    found = lock_running(session, task_id, attempt)
    if found is None:
        return
    job, task = found
    if is_wanted(job, task):
        requeue(session, job, task, because=because, progress=0.0, given_back=task.given_back + 1)
    else:
        cancel_running(session, job, task)


def held(db: Database, worker: str | None = None) -> Sequence[tuple[UUID, int]]:
    """Read the tasks that a worker holds, or those whose leases have ended, each with its attempt; longest ago first.

    Parameters:
      worker: The worker's id; None takes the ended leases of all workers.
    """
    with db.reading() as session:
        which = col(Task.worker) == worker if worker is not None else col(Task.lease_until) <= now(session)
        running = sa.select(col(Task.id), col(Task.attempt)).where(
            col(Task.status) == TaskStatus.RUNNING, which, newest_rows.HAS_KNOWN_STAGE
        )
        return [(row.id, row.attempt) for row in session.execute(running.order_by(col(Task.lease_until)))]


def release_all(db: Database, worker: str) -> int:
    """Give back all tasks of a worker that has ended; returns their number."""
    found = held(db, worker)
    for task_id, attempt in found:
        give_back(db, task_id, attempt)
    return len(found)


def expire_leases(
    db: Database, *, worker: str | None = None, death: Death = _UNSEEN, max_attempts: int
) -> list[TaskRef]:
    """Take back, and return, the tasks whose leases ended, or all tasks of a worker that is dead.

    Each is queued again at once; a task that lost its last attempt fails its job with ``worker_lost``.

    Parameters:
      worker: The dead worker's id; None takes the ended leases of all workers.
      death: The end of that worker, if it was observed.
    """
    taken = [_expire(db, task_id, attempt, worker, death, max_attempts) for task_id, attempt in held(db, worker)]
    return [ref for ref in taken if ref is not None]


@transaction
def _expire(
    session: Session, task_id: UUID, attempt: int, worker: str | None, death: Death, max_attempts: int
) -> TaskRef | None:
    found = lock_running(session, task_id, attempt)
    if found is None:
        return None
    job, task = found
    # It may have been renewed since it was read.
    if worker is None and task.lease_until is not None and task.lease_until > now(session):
        return None
    loss = Failure(
        "worker_lost",
        f"In {task.stage}, at attempt {tries(task)} of {max_attempts}, the worker process {death.how}.",
        death.hint,
        retryable=True,
    )
    if not is_wanted(job, task):
        cancel_running(session, job, task)
    elif tries(task) >= max_attempts:
        fail_job(session, job, task, loss)
    else:
        try_again(session, job, task, loss, delay=0.0)
    return TaskRef(job.id, task.run, task.chunk, task.stage)


def _is_held(task_id: UUID, attempt: int) -> sa.ColumnElement[bool]:
    """Clause on ``Task``: it still runs as this attempt."""
    return sa.and_(col(Task.id) == task_id, col(Task.status) == TaskStatus.RUNNING, col(Task.attempt) == attempt)


def _renewal(session: Session, task: Task | None) -> Renewal:
    if task is None:
        return Renewal(alive=False, cancel_requested=False)
    return Renewal(alive=True, cancel_requested=not is_wanted(session.get_one(Job, task.job_id), task))


def _progress_sent_lately(session: Session, job_id: UUID) -> bool:
    """Return whether a progress event of the job was sent within the last second."""
    sent = sa.select(col(Event.created_at)).where(col(Event.job_id) == job_id, col(Event.type) == "progress")
    last = session.scalars(sent.order_by(col(Event.seq).desc()).limit(1)).one_or_none()
    return last is not None and now(session) - last < _PROGRESS_PAUSE


def _refusal(job: Job, task: Task) -> Refusal:
    if task.run != job.run:
        return Refusal.OLD_RUN
    if task.status is TaskStatus.RUNNING:
        return Refusal.RUNNING
    return Refusal.WAITING if task.status is TaskStatus.WAITING else Refusal.FINISHED
