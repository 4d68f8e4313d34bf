"""Windows: how much of a queue's work may be at the broker, so that whoever comes later need not wait behind it.

A message is released just in time, while fewer tasks run or wait at the broker than the queue has workers. Beyond that,
as much is released as takes a moment: workers with tasks of milliseconds never wait for the next one.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol.fairness import cost_of
from octavia.jobs.tables import pauses
from octavia.jobs.tables.database import now
from octavia.jobs.tables.rows import Job, Task, Worker
from octavia.jobs.tables.states import Queue, Stage, TaskStatus, queue_of

AHEAD_SECONDS: Final = 0.25
"""Nominal seconds of work for each worker that may wait at the broker while all are busy."""

_DOUBTFUL: Final = timedelta(seconds=15)
"""A message that nobody claimed for so long may be lost: it holds up no other."""

_SEEN: Final = timedelta(minutes=1)
_STAGES: Final = {stage.value: stage for stage in Stage}


@dataclass
class Window:
    """One queue's window.

    Attributes:
      slots: Workers that take its messages, at least 1; 0 while it stands still for a pause.
      busy: Tasks that run.
      waiting: Released and unclaimed tasks by priority level: their number and cost.
    """

    slots: int = 1
    busy: int = 0
    waiting: dict[int, tuple[int, float]] = field(default_factory=dict)

    def admits(self, priority: int, cost: float) -> bool:
        """Return whether a message may be released; less urgent ones do not hold it up."""
        ahead = [released for level, released in self.waiting.items() if level >= priority]
        tasks, seconds = sum(number for number, _ in ahead), sum(spent for _, spent in ahead)
        return self.slots > 0 and (self.busy + tasks < self.slots or seconds + cost <= AHEAD_SECONDS * self.slots)

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


def read(session: Session, queues: Collection[Queue]) -> dict[Queue, Window]:
    """Read the windows of queues: three queries, over workers, pauses, and tasks that run or were just released."""
    windows = {queue: Window(slots) for queue, slots in _slots(session, queues).items()}
    # As text: a newer release may have more stages.
    stage = sa.type_coerce(col(Task.stage), sa.String)
    running = sa.select(stage, sa.literal(0), sa.func.count(), sa.literal(0.0)).where(
        col(Task.status) == TaskStatus.RUNNING
    )
    released = (
        sa.select(stage, col(Job.priority), sa.func.count(), sa.func.sum(col(Task.seconds)))
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(col(Task.released_at) > now(session) - _DOUBTFUL, col(Task.status) == TaskStatus.QUEUED)
    )
    open_ = sa.union_all(running.group_by(stage), released.group_by(stage, col(Job.priority)))
    for name, priority, tasks, seconds in session.execute(open_):
        window = windows.get(queue_of(_STAGES[name])) if name in _STAGES else None
        if window is None:
            continue
        if priority:
            window.add(priority, cost_of(_STAGES[name], seconds, tasks), tasks)
        else:
            window.busy += tasks
    return windows


def _slots(session: Session, queues: Collection[Queue]) -> dict[Queue, int]:
    """Count the workers that may take messages. A queue without a known one has 1: perhaps it is about to report."""
    living = sa.select(col(Worker.host), col(Worker.queues)).where(col(Worker.seen_at) > now(session) - _SEEN)
    hosts: defaultdict[str, list[str]] = defaultdict(list)
    for host, names in session.execute(living):
        for name in names.split(","):
            hosts[name].append(host)
    orders = pauses.in_force(session)
    held = {queue: [order for order in orders if order.queue in ("", queue.value)] for queue in queues}
    return {
        queue: sum(not any(order.holds(queue, host) for order in held[queue]) for host in hosts[queue.value])
        if hosts[queue.value]
        else int(all(order.host for order in held[queue]))
        for queue in queues
    }
