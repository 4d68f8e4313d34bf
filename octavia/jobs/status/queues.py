"""The state of each queue: what waits, what runs, who works on it, and whether it is paused; and samples of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables import pauses
from octavia.jobs.tables.database import Database, count_changed, insert, now, transaction
from octavia.jobs.tables.operation_rows import QueueSample
from octavia.jobs.tables.pauses import PauseRecord
from octavia.jobs.tables.rows import OutboxMessage, Task, Worker
from octavia.jobs.tables.states import Queue, Stage, TaskStatus, queue_of

KEPT: Final = timedelta(days=2)
"""The time that samples are kept."""

_STAGES: Final = {stage.value: stage for stage in Stage}


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue now.

    Attributes:
      depth: Tasks that wait for a worker (of maintenance: messages that wait to be sent).
      waiting_retry: Tasks whose next attempt is not due yet.
      oldest_seconds: How long the first of those that wait has waited; 0 if none does.
      workers: Living worker processes that serve it.
      pauses: Those that concern it, on all hosts or on one.
      standing: Nobody works on it because an operator wants that.
    """

    queue: Queue
    depth: int
    running: int
    waiting_retry: int
    oldest_seconds: float
    workers: int
    pauses: tuple[PauseRecord, ...]
    standing: bool


def read(db: Database, seen_within: timedelta) -> list[QueueState]:
    """Read the state of every queue; takes four queries, over waiting and running tasks only.

    Parameters:
      seen_within: A worker that was seen within this time lives.
    """
    with db.reading() as session:
        return _read(session, seen_within)


def read_pauses(db: Database, seen_within: timedelta) -> tuple[tuple[PauseRecord, ...], frozenset[Queue]]:
    """Read the pauses in force, and the queues that stand still for them (``pauses.standing``)."""
    with db.reading() as session:
        found = pauses.in_force(session)
        return found, pauses.standing(session, found, seen_within)


def sample(db: Database, seen_within: timedelta) -> bool:
    """Keep the state of every queue at this minute, unless somebody has; returns whether it was kept now.

    Of several processes that do so at once, one succeeds.
    """
    with db.reading() as session:
        minute = now(session).replace(second=0, microsecond=0)
        if session.get(QueueSample, (minute, Queue.DEFAULT)) is not None:
            return False
        states = _read(session, seen_within)
    values = [
        {
            "at": minute,
            "queue": state.queue,
            "depth": state.depth,
            "running": state.running,
            "oldest_seconds": state.oldest_seconds,
            "workers": state.workers,
        }
        for state in states
    ]
    return _keep(db, values)


@transaction
def prune(session: Session) -> int:
    """Delete old samples; returns their number."""
    return count_changed(session, sa.delete(QueueSample).where(col(QueueSample.at) < now(session) - KEPT))


@transaction
def _keep(session: Session, values: Sequence[Mapping[str, object]]) -> bool:
    rows = insert(session, QueueSample).values(values).on_conflict_do_nothing().returning(col(QueueSample.queue))
    return bool(session.scalars(rows).all())


def _read(session: Session, seen_within: timedelta) -> list[QueueState]:
    moment = now(session)
    depth, running, later = (dict.fromkeys(Queue, 0) for _ in range(3))
    oldest = dict.fromkeys(Queue, moment)
    unsent, due = col(OutboxMessage.published_at).is_(None), col(OutboxMessage.not_before) <= moment
    put_off = sa.select(col(OutboxMessage.task_id)).where(unsent, ~due, col(OutboxMessage.task_id).is_not(None))
    waits = sa.case((col(Task.id).in_(put_off), 1), else_=0).label("put_off")
    # Stages as text: this release need not know all of them, and a condition on them would cost an index scan.
    stage = sa.type_coerce(col(Task.stage), sa.String)
    tasks = (
        sa.select(stage, col(Task.status), waits, sa.func.count(), sa.func.min(Task.queued_at))
        .where(col(Task.status).in_((TaskStatus.QUEUED, TaskStatus.RUNNING)))
        .group_by(stage, col(Task.status), sa.text("put_off"))
    )
    for name, status, put_off_now, amount, since in session.execute(tasks):
        if name not in _STAGES:
            continue
        queue = queue_of(_STAGES[name])
        if status is TaskStatus.RUNNING:
            running[queue] += amount
        elif put_off_now:
            later[queue] += amount
        else:
            depth[queue] += amount
            oldest[queue] = min(oldest[queue], since or moment)
    # Rounds of maintenance are no tasks.
    rounds = sa.select(sa.func.count(), sa.func.min(OutboxMessage.created_at)).where(
        unsent, due, col(OutboxMessage.queue) == Queue.MAINTENANCE
    )
    waiting, since = session.execute(rounds).one()
    depth[Queue.MAINTENANCE], oldest[Queue.MAINTENANCE] = waiting, since or moment
    seen = sa.select(col(Worker.queues)).where(col(Worker.seen_at) > moment - seen_within)
    served = [names.split(",") for names in session.scalars(seen)]
    found = pauses.in_force(session)
    still = pauses.standing(session, found, seen_within) if found else frozenset()
    return [
        QueueState(
            queue,
            depth[queue],
            running[queue],
            later[queue],
            max(0.0, (moment - oldest[queue]).total_seconds()),
            sum(queue.value in names for names in served),
            tuple(pause for pause in found if pause.queue in ("", queue.value)),
            queue in still,
        )
        for queue in Queue
    ]
