"""Worker processes with their tasks in hand, and whether each works, waits, is held, fails or is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.tables import newest_rows, pauses
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.pauses import PauseRecord
from octavia.jobs.tables.rows import Job, Task, Worker
from octavia.jobs.tables.states import PauseMode, Queue, Stage, TaskStatus


class WorkerState(StrEnum):
    """The state of a worker process."""

    WORKING = "working"
    IDLE = "idle"
    PAUSED = "paused"
    DRAINING = "draining"
    FAILING = "failing"
    """Processes end as soon as they are started."""
    LOST = "lost"
    """It was not seen for so long that its tasks go to others."""


@dataclass(frozen=True, slots=True)
class TaskInHand:
    """The task that a worker runs; ``since`` its attempt began."""

    job_id: UUID
    owner: str
    stage: Stage
    chunk: int
    attempt: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker process.

    Parameters:
      memory: Resident bytes.
      silent_seconds: Time since it was seen.
      task: None without a task, and for a task whose job may not be seen.
    """

    id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    release: str
    memory: int
    seen_at: datetime
    silent_seconds: float
    state: WorkerState
    task: TaskInHand | None


def read(db: Database, seen_within: timedelta, owner: str | None) -> tuple[WorkerStatus, ...]:
    """Read all known workers, by id; those that were not seen for long stay listed, as lost, until they are pruned.

    Parameters:
      seen_within: A worker that was seen within this time lives.
      owner: The only owner whose tasks are shown; None: all.
    """
    running = sa.select(
        *(col(Task.worker), col(Job.id), col(Job.owner), col(Task.stage), col(Task.chunk), col(Task.attempt)),
        col(Task.started_at),
    ).join(Job, col(Job.id) == col(Task.job_id))
    with db.reading() as session:
        moment = now(session)
        found = session.scalars(sa.select(Worker).order_by(col(Worker.id))).all()
        held = pauses.in_force(session)
        at_work = running.where(col(Task.status) == TaskStatus.RUNNING, newest_rows.HAS_KNOWN_STAGE)
        tasks = {row[0]: TaskInHand(*row[1:]) for row in session.execute(at_work)}
    known = []
    for row in found:
        task, silent = tasks.get(row.id), moment - row.seen_at
        queues = tuple(row.queues.split(",")) if row.queues else ()
        state = WorkerState.LOST if silent > seen_within else _state(row, queues, held, busy=task is not None)
        known.append(
            WorkerStatus(
                *(row.id, row.host, row.pid, queues, row.release, row.memory, row.seen_at),
                silent_seconds=max(silent.total_seconds(), 0.0),
                state=state,
                task=task if task is not None and owner in (task.owner, None) else None,
            )
        )
    return tuple(known)


def _state(row: Worker, queues: Sequence[str], held: Sequence[PauseRecord], *, busy: bool) -> WorkerState:
    if not row.pid:
        return WorkerState.FAILING
    modes = [pauses.mode_of(held, Queue(name), row.host) for name in queues if name in tuple(Queue)]
    if modes and all(mode is PauseMode.DRAIN for mode in modes):
        return WorkerState.DRAINING
    if busy:
        return WorkerState.WORKING
    return WorkerState.PAUSED if modes and all(modes) else WorkerState.IDLE
