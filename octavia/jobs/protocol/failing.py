"""Consequences of a failed attempt: another attempt, or the end of the job."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from octavia.jobs.access import webhooks
from octavia.jobs.protocol import enqueue
from octavia.jobs.tables import events
from octavia.jobs.tables.database import database_of, now
from octavia.jobs.tables.records import Failure
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import JobStatus, TaskStatus
from octavia.jobs.tables.transitions import cancel_tasks, move_job, move_task


def tries(task: Task) -> int:
    """Count a task's attempts, without those given back."""
    return task.attempt - task.given_back


def delay_before_next(task: Task, retry_delays: Sequence[float], jitter: float) -> float | None:
    """Return the seconds until the next attempt, varied by ``jitter`` (a share of the delay); None after the last."""
    if tries(task) > len(retry_delays):
        return None
    return retry_delays[tries(task) - 1] * random.uniform(1 - jitter, 1 + jitter)


def try_again(session: Session, job: Job, task: Task, failure: Failure, delay: float) -> None:
    """Queue a task for another attempt."""
    next_at = now(session) + timedelta(seconds=delay)
    enqueue.requeue(
        session, job, task, delay=delay, progress=0.0, error_code=failure.code, error_message=failure.message
    )
    data = {"status": "retrying", "next_at": next_at.isoformat(), "code": failure.code}
    events.emit(session, job, "stage", {**task_fields(task), **data})


def fail_job(session: Session, job: Job, task: Task, failure: Failure) -> None:
    """Fail a task and its job, and cancel the tasks that have not begun. Running ones stop at their next piece."""
    moment = now(session)
    error: dict[str, Any] = {"error_code": failure.code, "error_message": failure.message}
    move_task(session, task, TaskStatus.FAILED, finished_at=moment, lease_until=None, **error)
    cancel_tasks(session, job, (TaskStatus.WAITING, TaskStatus.QUEUED), finished_at=moment)
    move_job(
        session,
        job,
        JobStatus.FAILED,
        stage=task.stage,
        error_hint=failure.hint,
        finished_at=moment,
        expires_at=moment + database_of(session).retention,
        **error,
    )
    data = {"code": failure.code, "message": failure.message, "hint": failure.hint, "stage": task.stage.value}
    events.emit(session, job, "failed", data)
    webhooks.announce(session, job)


def task_fields(task: Task) -> dict[str, object]:
    """Return the fields by which events name a task."""
    return {"stage": task.stage.value, "chunk": task.chunk, "attempt": tries(task)}
