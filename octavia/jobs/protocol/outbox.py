"""The outbox: messages committed together with the state that needs them; a relay takes them to the broker."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import InputError
from octavia.jobs.protocol.messages import decode
from octavia.jobs.tables.database import commit_without_flush, database_of, now, transaction
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import Queue


def add(
    session: Session,
    queue: Queue,
    priority: int,
    message: bytes,
    *,
    task_id: UUID | None = None,
    delay: float = 0.0,
    at: datetime | None = None,
) -> None:
    """Add a message, to be sent after the transaction commits.

    Parameters:
      priority: Level 1–3.
      task_id: Its task, so that repair knows that a message is under way.
      delay: Seconds to wait before it is sent.
      at: The database's clock, if the caller has just read it.
    """
    moment = at or now(session)
    session.add(
        OutboxMessage(
            task_id=task_id,
            queue=queue,
            priority=priority,
            message=message,
            created_at=moment,
            not_before=moment + timedelta(seconds=delay),
        )
    )
    if not delay and not event.contains(session, "after_commit", _wake):
        event.listen(session, "after_commit", _wake)


def _wake(session: Session) -> None:
    database_of(session).outbox_wakeup.set()


@transaction
def lease(session: Session, *, limit: int, seconds: float, queues: Collection[Queue] | None = None) -> list[Outgoing]:
    """Lease up to ``limit`` due messages for ``seconds``, most urgent and then oldest first.

    Two relays at once get different ones: PostgreSQL skips locked rows, SQLite has one writer at a time.
    """
    # If a crash loses this lease, the message is sent twice, and the claim drops the duplicate.
    commit_without_flush(session)
    moment = now(session)
    due = sa.select(OutboxMessage).where(
        col(OutboxMessage.published_at).is_(None),
        col(OutboxMessage.not_before) <= moment,
        sa.or_(col(OutboxMessage.leased_until).is_(None), col(OutboxMessage.leased_until) <= moment),
    )
    if queues is not None:
        due = due.where(col(OutboxMessage.queue).in_(queues))
    due = due.order_by(col(OutboxMessage.priority).desc(), col(OutboxMessage.id)).limit(limit)
    rows = session.scalars(due.with_for_update(skip_locked=True)).all()
    for row in rows:
        row.leased_until = moment + timedelta(seconds=seconds)
    return [Outgoing(row.id, row.queue, row.priority, row.message) for row in rows if row.id is not None]


@transaction
def mark_published(session: Session, ids: Sequence[int]) -> None:
    """Mark messages as sent; repeating it changes nothing."""
    if not ids:
        return
    commit_without_flush(session)
    sent = sa.update(OutboxMessage).where(col(OutboxMessage.id).in_(ids), col(OutboxMessage.published_at).is_(None))
    tasks = session.scalars(
        sent.values(published_at=now(session), leased_until=None).returning(col(OutboxMessage.task_id))
    ).all()
    counted = sa.update(Task).where(col(Task.id).in_([task for task in tasks if task is not None]))
    session.execute(counted.values(published=col(Task.published) + 1))


@transaction
def release(session: Session, ids: Sequence[int], *, delay: float) -> None:
    """Return leased messages, to be sent in ``delay`` seconds at the earliest."""
    if not ids:
        return
    kept = sa.update(OutboxMessage).where(col(OutboxMessage.id).in_(ids), col(OutboxMessage.published_at).is_(None))
    later = now(session) + timedelta(seconds=delay)
    session.execute(kept.values(leased_until=None, not_before=later))


@transaction
def postpone(session: Session, message: bytes, queue: Queue, priority: int, delay: float) -> None:
    """Send a message again in ``delay`` seconds, for a worker of another release."""
    add(session, queue, priority, message, task_id=_task_named_by(session, message), delay=delay)


@transaction
def prune(session: Session, older_than: timedelta) -> int:
    """Delete messages that were sent longer ago than this; returns their number.

    Repair reads here when a task's message was last sent, so keep some days.
    """
    old = col(OutboxMessage.published_at) < now(session) - older_than
    gone = session.scalars(sa.delete(OutboxMessage).where(old).returning(col(OutboxMessage.id))).all()
    return len(gone)


def _task_named_by(session: Session, message: bytes) -> UUID | None:
    """Find the task of a message, perhaps a newer release's, so that repair sees that it is under way."""
    try:
        known = decode(message)
        job_id, run, chunk = UUID(known.kwargs["job_id"]), int(known.kwargs["run"]), int(known.kwargs["chunk"])
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        return None
    # The stage is compared as text: a newer release may have added it.
    stage = sa.type_coerce(col(Task.stage), sa.String) == known.actor_name
    named = sa.select(col(Task.id)).where(col(Task.job_id) == job_id, col(Task.run) == run, col(Task.chunk) == chunk)
    return session.scalars(named.where(stage)).one_or_none()
