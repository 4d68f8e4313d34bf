"""Queueing tasks: a task becomes queued and its message enters the outbox, both in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from octavia.jobs.protocol import direct, outbox
from octavia.jobs.protocol.fairness import next_turn
from octavia.jobs.protocol.messages import message_for
from octavia.jobs.tables import writes
from octavia.jobs.tables.database import now
from octavia.jobs.tables.records import Failure, TaskRef
from octavia.jobs.tables.rows import Job, OutboxMessage, Task
from octavia.jobs.tables.states import WHOLE_JOB, Stage, TaskStatus, queue_of
from octavia.jobs.tables.transitions import move_task, queue_tasks


def enqueue(session: Session, job: Job, tasks: Sequence[Task]) -> None:
    """Queue waiting tasks; each must have its message."""
    if not tasks:
        return
    moment = now(session)
    queue_tasks(session, [task.id for task in tasks], queued_at=moment)
    direct.offer(session, [(_send(session, job, task, at=moment), task) for task in tasks])


def requeue(
    session: Session, job: Job, task: Task, *, delay: float = 0.0, because: Failure | None = None, **changes: Any
) -> None:
    """Queue a running task again and send its message in ``delay`` seconds; ``because`` as for ``move_task``."""
    moment = now(session)
    void = {"worker": None, "lease_until": None, "published": 0, "released_at": None}
    move_task(session, task, TaskStatus.QUEUED, because=because, queued_at=moment, **void, **changes)
    _send(session, job, task, at=moment, delay=delay)


def start_stage(session: Session, job: Job, stage: Stage, *, seconds: float = 0.0) -> None:
    """Create and queue the task of a stage that concerns the whole job."""
    ref = TaskRef(job.id, job.run, WHOLE_JOB, stage)
    message = message_for(ref, job.priority, job.message_format, job.traceparent).encode()
    add_queued(session, job, WHOLE_JOB, stage, message, seconds=seconds)


def add_queued(session: Session, job: Job, chunk: int, stage: Stage, message: bytes, *, seconds: float) -> None:
    """Create a task that waits for nothing, and queue it."""
    moment = now(session)
    task = Task(
        job_id=job.id,
        run=job.run,
        chunk=chunk,
        stage=stage,
        status=TaskStatus.QUEUED,
        seconds=seconds,
        queued_at=moment,
        message=message,
    )
    direct.offer(session, [(_send(session, job, task, at=moment), task)])
    writes.add(session, task)


def send_again(session: Session, job: Job, task: Task) -> None:
    """Send a queued task's message once more; the claim drops all but one."""
    _send(session, job, task, at=now(session))


def message_of(task: Task) -> bytes:
    """Return the message that was stored with a task before it was queued."""
    if task.message is None:
        raise ValueError(f"task {task.id} has no message")
    return task.message


def _send(session: Session, job: Job, task: Task, *, at: datetime, delay: float = 0.0) -> OutboxMessage:
    turn = next_turn(session, job, task.stage, task.seconds)
    return outbox.add(
        session, queue_of(task.stage), job.priority, message_of(task), task_id=task.id, delay=delay, at=at, turn=turn
    )
