"""Direct publishing: a message before which nothing waits is leased by the transaction that adds it.

After the commit its own process publishes it, without asking the outbox for it. If that process dies first, the lease
ends, and any relay sends the message.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby, takewhile
from typing import Final

from sqlalchemy.orm import Session

from octavia.jobs.protocol import windows
from octavia.jobs.tables.database import database_of, now, on_commit
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import Queue

LEASE_SECONDS: Final = 3.0
"""Publishing takes milliseconds. If it takes longer than this, the message is sent twice, and the claim drops one."""

_New = tuple[OutboxMessage, Task]


def offer(session: Session, new: Sequence[_New]) -> None:
    """Lease messages to this process, if it publishes and their queues' windows admit them.

    Parameters:
      new: Messages of one job, due and not written yet, each with its task.
    """
    post = database_of(session).post
    if post is None or not new:
        return
    moment = now(session)
    leased: list[OutboxMessage] = []
    for queue, group in groupby(sorted(new, key=_queue_of), key=_queue_of):
        for row, task in _admitted(session, queue, list(group)):
            row.leased_until = moment + timedelta(seconds=LEASE_SECONDS)
            task.released_at = moment
            leased.append(row)
    if leased:
        on_commit(
            session, lambda: post([Outgoing(row.id or 0, row.queue, row.priority, row.message) for row in leased])
        )


def _queue_of(new: _New) -> Queue:
    return new[0].queue


def _admitted(session: Session, queue: Queue, new: Sequence[_New]) -> list[_New]:
    """Return the first of a queue's new messages, as many as may go past the relay."""
    window = windows.read(session, [queue], passing=queue)[queue]
    return [] if window.passed_by else list(takewhile(lambda it: window.admit(it[0].priority, it[0].cost), new))
