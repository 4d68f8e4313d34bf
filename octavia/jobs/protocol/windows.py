"""Windows: how much of a queue's work may be at the broker, so that whoever comes later need not wait behind it.

A message is released just in time, while fewer tasks run or wait at the broker than the queue has workers. Beyond that,
as much is released as takes a moment: workers with tasks of milliseconds never wait for the next one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol.fairness import cost_of
from octavia.jobs.tables.database import now
from octavia.jobs.tables.due_messages import is_free
from octavia.jobs.tables.operation_rows import Pause
from octavia.jobs.tables.rows import Job, OutboxMessage, Task, UTCDateTime, Worker, enum_type
from octavia.jobs.tables.states import Queue, Stage, TaskStatus, queue_of

AHEAD_SECONDS: Final = 0.25
"""Nominal seconds of work for each worker that may wait at the broker while all are busy."""

AHEAD_SECONDS_OF_DEFAULT: Final = 0.05
"""Its value for the queue of recordings to prepare: nobody knows their lengths yet, and most take longer."""

_DOUBTFUL: Final = timedelta(seconds=15)
"""A message that nobody claimed for so long may be lost: it holds up no other."""

_SEEN: Final = timedelta(minutes=1)
_STAGES: Final = {stage.value: stage for stage in Stage}


@dataclass
class Window:
    """One queue's window.

    Attributes:
      slots: Workers that take its messages, at least 1; 0 while it stands still for a pause.
      ahead: Nominal seconds of work for each worker that may wait while all are busy.
      busy: Tasks that run.
      waiting: Released and unclaimed tasks by priority level: their number and cost.
      passed_by: A message of this queue waits in the outbox for its turn; found only if it was asked for.
    """

    slots: int = 1
    ahead: float = AHEAD_SECONDS
    busy: int = 0
    waiting: dict[int, tuple[int, float]] = field(default_factory=dict)
    passed_by: bool = False

    def admits(self, priority: int, cost: float) -> bool:
        """Return whether a message may be released; less urgent ones do not hold it up."""
        ahead = [released for level, released in self.waiting.items() if level >= priority]
        tasks, seconds = sum(number for number, _ in ahead), sum(spent for _, spent in ahead)
        return self.slots > 0 and (self.busy + tasks < self.slots or seconds + cost <= self.ahead * self.slots)

    def admit(self, priority: int, cost: float) -> bool:
        """Count a message as released if it may be; returns whether it may."""
        if not self.admits(priority, cost):
            return False
        self.add(priority, cost)
        return True

    def add(self, priority: int, cost: float, tasks: int = 1) -> None:
        """Count released messages."""
        number, seconds = self.waiting.get(priority, (0, 0.0))
        self.waiting[priority] = number + tasks, seconds + cost


def read(session: Session, queues: Collection[Queue], *, passing: Queue | None = None) -> dict[Queue, Window]:
    """Read the windows of queues, by one query over workers, pauses, and tasks that run or were just released.

    Parameters:
      passing: The one of them whose ``passed_by`` is asked for.
    """
    moment = now(session)
    values = {"seen": moment - _SEEN, "doubtful": moment - _DOUBTFUL, "moment": moment, "passing": passing}
    # Past the session, which would write what waits first: new messages and their tasks do not count yet.
    rows = session.connection().execute(_OPEN, values).all()
    workers = [(queues_of, host) for kind, queues_of, host, *_ in rows if kind == _WORKER]
    paused = [(queue, host) for kind, queue, host, *_ in rows if kind == _PAUSE]
    windows = {queue: Window(_slots(queue, workers, paused), _ahead(queue)) for queue in queues}
    if passing is not None:
        windows[passing].passed_by = any(kind == _DUE for kind, *_ in rows)
    for kind, name, _, priority, tasks, seconds in rows:
        window = windows.get(queue_of(_STAGES[name])) if name in _STAGES else None
        if window is not None and kind == _RUNNING:
            window.busy += tasks
        elif window is not None and kind == _RELEASED:
            window.add(priority, cost_of(_STAGES[name], seconds, tasks), tasks)
    return windows


def _ahead(queue: Queue) -> float:
    return AHEAD_SECONDS_OF_DEFAULT if queue is Queue.DEFAULT else AHEAD_SECONDS


def _slots(queue: Queue, workers: Sequence[tuple[str, str]], paused: Sequence[tuple[str, str]]) -> int:
    """Count the workers that may take messages. A queue without a known one has 1: perhaps it is about to report."""
    held = {host for name, host in paused if name in ("", queue.value)}
    hosts = [host for queues, host in workers if queue.value in queues.split(",")]
    return sum(not held & {"", host} for host in hosts) if hosts else int("" not in held)


def _everything() -> sa.CompoundSelect[Any]:
    """Select workers' queues and hosts, pauses' queues and hosts, and by stage and priority tasks and their seconds."""
    # As text: a newer release may have more stages.
    stage = sa.type_coerce(col(Task.stage), sa.String)
    nothing, zero, count = sa.literal("", sa.String), sa.literal(0, sa.Integer), sa.func.count()
    none = sa.literal(0.0, sa.Float)
    workers = sa.select(sa.literal(_WORKER, sa.String), col(Worker.queues), col(Worker.host), zero, zero, none).where(
        col(Worker.seen_at) > sa.bindparam("seen", type_=UTCDateTime())
    )
    paused = sa.select(sa.literal(_PAUSE, sa.String), col(Pause.queue), col(Pause.host), zero, zero, none)
    running = sa.select(sa.literal(_RUNNING, sa.String), stage, nothing, zero, count, none).where(
        col(Task.status) == TaskStatus.RUNNING
    )
    seconds, doubtful = sa.func.sum(col(Task.seconds)), sa.bindparam("doubtful", type_=UTCDateTime())
    released = (
        sa.select(sa.literal(_RELEASED, sa.String), stage, nothing, col(Job.priority), count, seconds)
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(col(Task.released_at) > doubtful, col(Task.status) == TaskStatus.QUEUED)
    )
    is_due = sa.and_(
        is_free(OutboxMessage, sa.bindparam("moment", type_=UTCDateTime())),
        col(OutboxMessage.queue) == sa.bindparam("passing", type_=enum_type(Queue)),
    )
    due = sa.select(sa.literal(_DUE, sa.String), nothing, nothing, zero, zero, none).where(sa.exists().where(is_due))
    tasks = running.group_by(stage), released.group_by(stage, col(Job.priority))
    return sa.union_all(workers, paused, *tasks, due)


_WORKER, _PAUSE, _RUNNING, _RELEASED, _DUE = "worker", "pause", "running", "released", "due"
# Built once: every release asks for it.
_OPEN: Final = _everything()
