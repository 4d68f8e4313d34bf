"""The outbox: messages committed together with the state that needs them; ``next_messages`` chooses among them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import InputError
from octavia.jobs.protocol.fairness import NO_JOB, Turn
from octavia.jobs.protocol.messages import decode
from octavia.jobs.protocol.next_messages import choose
from octavia.jobs.tables import writes
from octavia.jobs.tables.database import commit_without_flush, database_of, now, on_commit, transaction
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.shares import Share
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
    turn: Turn = NO_JOB,
) -> OutboxMessage:
    """Add a message, to be sent after the transaction commits; returns its row.

    Parameters:
      priority: Level 1–3.
      task_id: Its task, so that repair knows that a message is under way.
      delay: Seconds to wait before it is sent.
      at: The database's clock, if the caller has just read it.
      turn: Its place among those of its owner (``fairness.next_turn``).
    """
    moment = at or now(session)
    row = OutboxMessage(
        task_id=task_id,
        queue=queue,
        priority=priority,
        owner=turn.owner,
        turn=turn.number,
        cost=turn.cost,
        message=message,
        created_at=moment,
        not_before=moment + timedelta(seconds=delay),
    )
    writes.add(session, row)
    if not delay:
        on_commit(session, database_of(session).outbox_wakeup.set)
    return row


def _settling() -> sa.Update:
    messages: sa.Table = OutboxMessage.__table__  # type: ignore[attr-defined]
    waiting = sa.select(messages.c.id).where(
        messages.c.task_id == sa.bindparam("settled_task", type_=messages.c.task_id.type),
        messages.c.published_at.is_(None),
    )
    sent = sa.update(messages).where(messages.c.id.in_(waiting.with_for_update(skip_locked=True)))
    moment = sa.bindparam("settled_at", type_=messages.c.published_at.type)
    return sent.values(published_at=moment, leased_until=sa.null())


# Built once: every claim executes it.
_SETTLE: Final = _settling()


@transaction
def lease(
    session: Session,
    *,
    limit: int,
    seconds: float,
    queues: Collection[Queue] | None = None,
    windowed: bool = False,
) -> list[Outgoing]:
    """Lease up to ``limit`` due messages for ``seconds``, as ``next_messages`` chooses them.

    Parameters:
      queues: Of these only; None: of all.
      windowed: For a broker: no more than its queues' windows admit.
    """
    # If a crash loses this lease, the message is sent twice, and the claim drops the duplicate.
    commit_without_flush(session)
    rows = choose(session, limit, tuple(Queue) if queues is None else queues, windowed=windowed)
    moment = now(session)
    for row in rows:
        row.leased_until = moment + timedelta(seconds=seconds)
    if windowed and rows:
        released = sa.update(Task).where(col(Task.id).in_([row.task_id for row in rows if row.task_id is not None]))
        session.execute(released.values(released_at=moment))
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
    tasks = session.scalars(
        kept.values(leased_until=None, not_before=later).returning(col(OutboxMessage.task_id))
    ).all()
    not_there = sa.update(Task).where(col(Task.id).in_([task for task in tasks if task is not None]))
    session.execute(not_there.values(released_at=None))


def settle(session: Session, task_id: UUID) -> None:
    """Mark a claimed task's messages as sent: one has arrived, and no other is needed unless the task is queued again.

    A row that a relay holds just now is left to it: the claim drops its message.
    """
    writes.execute(session, _SETTLE, {"settled_task": task_id, "settled_at": now(session)})


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
    # An owner whose messages wait keeps its share: without it, its new jobs would stand before them all.
    waits = sa.exists().where(col(OutboxMessage.owner) == col(Share.owner), col(OutboxMessage.published_at).is_(None))
    session.execute(sa.delete(Share).where(col(Share.updated_at) < now(session) - older_than, ~waits))
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
