"""Direct publishing: a message before which nothing waits is leased by the transaction that adds it.

After the commit its own process publishes it, without asking the outbox for it. If that process dies first, the lease
ends, and any relay sends the message.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby, takewhile
from operator import attrgetter
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol import windows
from octavia.jobs.tables.database import database_of, now, on_commit
from octavia.jobs.tables.due_messages import is_free
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import Queue

LEASE_SECONDS: Final = 3.0
"""Publishing takes milliseconds. If it takes longer than this, the message is sent twice, and the claim drops one."""


def offer(session: Session, rows: Sequence[OutboxMessage]) -> None:
    """Lease messages that were just added to this process, if it publishes and their queues' windows admit them.

    Parameters:
      rows: Of one job, due, each of a task.
    """
    post = database_of(session).post
    if post is None or not rows:
        return
    session.flush()
    until = now(session) + timedelta(seconds=LEASE_SECONDS)
    leased: list[OutboxMessage] = []
    for queue, group in groupby(sorted(rows, key=attrgetter("queue", "id")), key=attrgetter("queue")):
        leased += _admitted(session, queue, list(group))
    if not leased:
        return
    for row in leased:
        row.leased_until = until
    released = sa.update(Task).where(col(Task.id).in_([row.task_id for row in leased]))
    session.execute(released.values(released_at=now(session)))
    outgoing = [Outgoing(row.id, row.queue, row.priority, row.message) for row in leased if row.id is not None]
    on_commit(session, lambda: post(outgoing))


def _admitted(session: Session, queue: Queue, rows: Sequence[OutboxMessage]) -> list[OutboxMessage]:
    """Return the first of a queue's new messages, as many as may go past the relay."""
    waits = sa.select(col(OutboxMessage.id)).where(
        is_free(OutboxMessage, now(session)),
        col(OutboxMessage.queue) == queue,
        col(OutboxMessage.id).not_in([row.id for row in rows]),
    )
    if session.scalars(waits.limit(1)).first() is not None:
        return []
    window = windows.read(session, [queue])[queue]
    return list(takewhile(lambda row: window.admit(row.priority, row.cost), rows))
