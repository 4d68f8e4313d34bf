"""Figures of the whole service for its metrics: computed by one process once an interval, and read by all from one row.

``octavia/metrics/declared.py`` says what each one is.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import Unavailable
from octavia.jobs.status import estimates, workers
from octavia.jobs.status.job_details import Remaining, media_seconds
from octavia.jobs.tables.database import Database, count_changed, now, transaction
from octavia.jobs.tables.operation_rows import MaintenanceRound, Pause, Snapshot
from octavia.jobs.tables.rows import Job, OutboxMessage, Task
from octavia.jobs.tables.states import JobStatus, Queue, TaskStatus, queue_of

Figures = dict[str, dict[str, float]]
"""Values by the name of the figure and the value of its only label, which is empty if it has none."""

_NAME: Final = "figures"
_LEASE: Final = timedelta(seconds=60)
_RELEASED_LATELY: Final = timedelta(seconds=30)
_WORKERS_SEEN: Final = timedelta(minutes=1)
_LONG_AGO: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_WAITING_AND_RUNNING: Final = (TaskStatus.QUEUED, TaskStatus.RUNNING)

WORK_SECONDS: Final = 300.0
"""``octavia_workers_wanted`` is the number of workers that end the work in hand within so many seconds."""

_UNKNOWN_TASK: Final = 30.0
"""Seconds that a task of a stage counts that was never measured: a chunk, as fast as it is spoken."""


def current(
    db: Database, *, interval: float, embedded: bool, dead_letters: Callable[[], Mapping[Queue, int]] | None = None
) -> tuple[Figures, float]:
    """Return the figures, and how many seconds old they are. Computes them if they are due and nobody else does.

    Raises ``Unavailable``.

    Parameters:
      interval: Seconds after which they are due again.
      dead_letters: Counts dead letters; its ``Unavailable`` leaves them out.
    """
    found = _read(db)
    if found is None or found[1] >= interval:
        lease = _take(db, interval=interval)
        if lease is not None:
            figures = compute(db, embedded=embedded)
            with suppress(Unavailable):
                counted = dead_letters() if dead_letters else {}
                figures["octavia_dead_letters"] = _zeros() | {queue.value: float(n) for queue, n in counted.items()}
            _store(db, figures, lease)
            return figures, 0.0
        found = _read(db)
    # The first ones are being computed: they will be there soon.
    return found or ({}, interval)


def compute(db: Database, *, embedded: bool) -> Figures:
    """Compute all figures but those of the broker; ``embedded``: the outbox is the queue."""
    living = workers.count_by_queue(db, _WORKERS_SEEN)
    with db.reading() as session:
        figures = {
            "octavia_jobs": _jobs(session),
            "octavia_queue_workers": {queue.value: float(amount) for queue, amount in living.items()},
            "octavia_queue_paused": _paused(session),
            "octavia_scheduler_last_round_seconds": _rounds(session),
        }
        figures |= _outbox(session, figures["octavia_queue_paused"], embedded=embedded)
        return figures | _queues(session, figures["octavia_queue_paused"])


def _read(db: Database) -> tuple[Figures, float] | None:
    with db.reading() as session:
        row = session.get(Snapshot, _NAME)
        if row is None or row.computed_at == _LONG_AGO:
            return None
        return row.data, max((now(session) - row.computed_at).total_seconds(), 0.0)


@transaction
def _take(session: Session, *, interval: float) -> datetime | None:
    """Lease the computation, if it is due and nobody has it; returns the lease's end, by which it is known."""
    moment = now(session)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(Snapshot).values(name=_NAME, computed_at=_LONG_AGO, data={}).on_conflict_do_nothing())
    until = moment + _LEASE
    due = sa.update(Snapshot).where(
        col(Snapshot.name) == _NAME,
        col(Snapshot.computed_at) <= moment - timedelta(seconds=interval),
        sa.or_(col(Snapshot.leased_until).is_(None), col(Snapshot.leased_until) <= moment),
    )
    return until if count_changed(session, due.values(leased_until=until)) else None


@transaction
def _store(session: Session, figures: Figures, lease: datetime) -> None:
    mine = sa.update(Snapshot).where(col(Snapshot.name) == _NAME, col(Snapshot.leased_until) == lease)
    session.execute(mine.values(computed_at=now(session), leased_until=None, data=figures))


def _jobs(session: Session) -> dict[str, float]:
    status, amount = col(Job.status), sa.func.count()
    found = dict.fromkeys((status.value for status in JobStatus), 0.0)
    for name, number in session.execute(sa.select(status, amount).group_by(status)):
        found[name.value] += number
    # Few are deleted, and an index has these; one with the condition above would have to read every row.
    deleted = sa.select(status, amount).where(col(Job.deleted_at).is_not(None)).group_by(status)
    for name, number in session.execute(deleted):
        found[name.value] -= number
    return found


def _paused(session: Session) -> dict[str, float]:
    paused = set(session.scalars(sa.select(col(Pause.queue)).where(col(Pause.host) == "")))
    return {queue.value: float("" in paused or queue.value in paused) for queue in Queue}


def _rounds(session: Session) -> dict[str, float]:
    moment = now(session)
    done = sa.select(col(MaintenanceRound.actor), col(MaintenanceRound.finished_at))
    return {
        actor: (moment - finished).total_seconds() for actor, finished in session.execute(done) if finished is not None
    }


def _outbox(session: Session, paused: Mapping[str, float], *, embedded: bool) -> Figures:
    waiting, lag = _zeros(), 0.0
    if not embedded:
        moment = now(session)
        queue, due = col(OutboxMessage.queue), col(OutboxMessage.not_before)
        unsent = sa.select(queue, sa.func.count(), sa.func.min(due)).where(
            col(OutboxMessage.published_at).is_(None), due <= moment
        )
        # What waits behind tasks that run or were just released waits for a worker, not for a relay.
        released = col(Task.released_at) > moment - _RELEASED_LATELY
        at_work = sa.select(col(Task.stage)).where(sa.or_(col(Task.status) == TaskStatus.RUNNING, released)).distinct()
        moving = {queue_of(stage) for stage in session.scalars(at_work)}
        for name, amount, oldest in session.execute(unsent.group_by(queue)):
            waiting[name.value] = float(amount)
            if name not in moving and not paused[name.value]:
                lag = max(lag, (moment - oldest).total_seconds())
    return {"octavia_outbox_waiting": waiting, "octavia_outbox_lag_seconds": {"": lag}}


def _queues(session: Session, paused: Mapping[str, float]) -> Figures:
    moment = now(session)
    depth, running, oldest = _zeros(), _zeros(), _zeros()
    work = _zeros()
    paces = estimates.paces(session)
    later = sa.select(col(OutboxMessage.task_id)).where(
        col(OutboxMessage.published_at).is_(None),
        col(OutboxMessage.not_before) > moment,
        col(OutboxMessage.task_id).is_not(None),
    )
    open_tasks = (
        sa.select(
            col(Task.stage),
            col(Task.status),
            sa.func.count(),
            sa.func.min(col(Task.queued_at)),
            sa.func.sum(media_seconds()),
        )
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(col(Task.status).in_(_WAITING_AND_RUNNING), col(Task.id).not_in(later))
        .group_by(col(Task.stage), col(Task.status))
    )
    for stage, status, amount, since, seconds in session.execute(open_tasks):
        queue = queue_of(stage).value
        if status is TaskStatus.QUEUED:
            depth[queue] += amount
            oldest[queue] = max(oldest[queue], (moment - since).total_seconds() if since else 0.0)
        else:
            running[queue] += amount
        pace = paces.get(stage)
        one = Remaining(float(amount), float(seconds or 0.0), 0.0)
        work[queue] += pace.of(one) if pace else amount * _UNKNOWN_TASK
    return {
        "octavia_queue_depth": depth,
        "octavia_queue_oldest_seconds": oldest,
        "octavia_queue_running": running,
        "octavia_queue_unacked": running,
        "octavia_workers_wanted": {
            queue: wanted(depth[queue], running[queue], work[queue], paused=bool(paused[queue])) for queue in depth
        },
    }


def wanted(depth: float, running: float, work_seconds: float, *, paused: bool) -> float:
    """Return how many workers a queue should have.

    As many as end its work within ``WORK_SECONDS``, at least one for any work at all, at most one for each task.
    Running tasks keep their workers; a paused queue needs no others.
    """
    if paused:
        return running
    return max(running, min(depth + running, math.ceil(work_seconds / WORK_SECONDS)))


def _zeros() -> dict[str, float]:
    return {queue.value: 0.0 for queue in Queue}
