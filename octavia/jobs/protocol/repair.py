"""Repair of lost messages, by sending them again. Duplicates are harmless: one claim succeeds."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol.enqueue import send_again
from octavia.jobs.tables import newest_rows, pauses
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.rows import OutboxMessage, Task, UTCDateTime
from octavia.jobs.tables.states import Queue, Stage, TaskStatus, queue_of
from octavia.jobs.tables.transitions import lock_task

_FIRST_WAIT: Final = timedelta(minutes=10)
_MOST_DOUBLINGS: Final = 7
_LONGEST_WAIT: Final = _FIRST_WAIT * (1 << _MOST_DOUBLINGS)
_SEEN: Final = timedelta(minutes=1)
_BATCH: Final = 500


def republish_unclaimed(
    db: Database, *, queue_is_empty: Callable[[Queue], bool], after: float, seen_within: timedelta = _SEEN
) -> int:
    """Send again the messages of queued tasks that nobody claimed; returns their number.

    If a queue is empty, its message is lost, so ``after`` seconds are enough. In other queues it may still wait: there
    it is sent again only after 10, 20, 40 … minutes. Retries that are not due yet are left alone, and so is a queue
    that stands still because an operator paused it: its messages wait as they are, and once it goes on, the time that
    it stood does not count.

    Parameters:
      queue_is_empty: Asks the broker; called at most once for each queue.
      after: Seconds since the message was last sent.
      seen_within: A worker that was seen within this time lives.
    """
    with db.reading() as session:
        moment = now(session)
        last = _last_sent()
        stuck: sa.Select[UUID, Stage, int, datetime] = sa.select(
            col(Task.id), col(Task.stage), col(Task.published), last
        ).where(
            col(Task.status) == TaskStatus.QUEUED,
            last <= moment - timedelta(seconds=after),
            ~_under_way(),
            newest_rows.HAS_KNOWN_STAGE,
        )
        orders = pauses.in_force(session)
        still = pauses.standing(session, orders, seen_within) if orders else frozenset()
        if still:
            stuck = stuck.where(col(Task.stage).in_([stage for stage in Stage if queue_of(stage) not in still]))
        found = session.execute(stuck.order_by(last).limit(_BATCH)).all()
        resumed = pauses.resumed_at(session, _LONGEST_WAIT) if found else {}
    is_empty = cache(queue_is_empty)
    return sum(
        _republish(db, task_id)
        for task_id, stage, published, sent_at in found
        if is_empty(queue_of(stage))
        or _waited_long(moment - max(sent_at, resumed.get(queue_of(stage), sent_at)), published)
    )


def republish_all(db: Database) -> int:
    """Send the messages of all queued tasks, at the start of an embedded service, which has no broker that keeps them.

    Messages that a dead process had leased are freed. Returns the number of messages added.
    """
    found = _free_all(db)
    db.outbox_wakeup.set()
    return sum(_republish(db, task_id) for task_id in found)


@transaction
def _free_all(session: Session) -> Sequence[UUID]:
    """Free every leased message; returns the queued tasks without a message under way."""
    session.execute(sa.update(OutboxMessage).where(col(OutboxMessage.published_at).is_(None)).values(leased_until=None))
    queued = sa.select(col(Task.id)).where(
        col(Task.status) == TaskStatus.QUEUED, ~_under_way(), newest_rows.HAS_KNOWN_STAGE
    )
    return session.scalars(queued).all()


@transaction
def _republish(session: Session, task_id: UUID) -> int:
    """Send a task's message again, unless it was claimed or repaired meanwhile; returns the number sent."""
    found = lock_task(session, task_id)
    if found is None or found[1].status is not TaskStatus.QUEUED:
        return 0
    job, task = found
    handled = sa.select(sa.literal(1)).select_from(Task).where(col(Task.id) == task_id, _under_way())
    if session.scalars(handled).first() is not None:
        return 0
    send_again(session, job, task)
    return 1


def _waited_long(waited: timedelta, published: int) -> bool:
    return waited >= _FIRST_WAIT * (1 << min(max(published - 1, 0), _MOST_DOUBLINGS))


def _last_sent() -> sa.ColumnElement[datetime]:
    """Time at which a queued task's message was last sent, or, if the outbox was pruned, the task was queued."""
    sent = sa.select(sa.func.max(OutboxMessage.published_at)).where(col(OutboxMessage.task_id) == col(Task.id))
    return sa.func.coalesce(sent.correlate(Task).scalar_subquery(), Task.queued_at, type_=UTCDateTime())


def _under_way() -> sa.ColumnElement[bool]:
    return sa.exists().where(col(OutboxMessage.task_id) == col(Task.id), col(OutboxMessage.published_at).is_(None))
