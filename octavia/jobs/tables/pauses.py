"""The pauses in force: orders that the workers of a queue, of a host, or of a queue on a host take no more tasks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.tables import writes
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.operation_rows import OperatorAction, Pause
from octavia.jobs.tables.records import copied
from octavia.jobs.tables.rows import Worker
from octavia.jobs.tables.states import PauseMode, Queue

RESUMED: Final = "resume"
"""The operator's action that ends a pause; its details have the pause's queue and host."""


_HELD: Final = sa.select(col(Pause.id)).where(
    col(Pause.queue).in_(("", sa.bindparam("paused_queue", type_=sa.String()))),
    col(Pause.host).in_(("", sa.bindparam("paused_host", type_=sa.String()))),
)


@dataclass(frozen=True, slots=True)
class PauseRecord:
    """An order to take no more tasks; an empty queue or host stands for all of them."""

    id: UUID
    queue: str
    host: str
    mode: PauseMode
    reason: str
    by: str
    created_at: datetime

    @classmethod
    def from_row(cls, row: Pause) -> Self:
        """Copy a row."""
        return copied(cls, row)

    def holds(self, queue: Queue, host: str) -> bool:
        """Return whether it concerns a queue's workers on that host."""
        return self.queue in ("", queue.value) and self.host in ("", host)


def mode_of(pauses: Iterable[PauseRecord], queue: Queue, host: str) -> PauseMode | None:
    """Return what a queue's workers on a host have to do; to drain is the stronger order."""
    modes = {pause.mode for pause in pauses if pause.holds(queue, host)}
    return PauseMode.DRAIN if PauseMode.DRAIN in modes else next(iter(modes), None)


def in_force(session: Session) -> tuple[PauseRecord, ...]:
    """Read all pauses, oldest first."""
    return tuple(PauseRecord.from_row(row) for row in session.scalars(sa.select(Pause).order_by(col(Pause.id))))


def list_pauses(db: Database) -> tuple[PauseRecord, ...]:
    """List all pauses, oldest first."""
    with db.reading() as session:
        return in_force(session)


def refuse_if_held(session: Session, queue: Queue, host: str, error: type[Exception]) -> None:
    """Fail what the transaction writes with ``error`` if the workers of a queue on a host may take no task then."""
    writes.refuse_if(session, _HELD, {"paused_queue": queue.value, "paused_host": host}, error)


def standing(session: Session, pauses: Iterable[PauseRecord], seen_within: timedelta) -> frozenset[Queue]:
    """Return the queues that stand still because an operator wants it.

    They are paused on every host, or on all of those that have living workers for them. A queue without any is none of
    these, unless it is paused on every host: an order for one host must not hide that the others' workers are gone.

    Parameters:
      seen_within: A worker that was seen within this time lives.
    """
    found = {queue: [pause for pause in pauses if pause.queue in ("", queue.value)] for queue in Queue}
    still = {queue for queue, orders in found.items() if any(not order.host for order in orders)}
    if any(orders for queue, orders in found.items() if queue not in still):
        living = sa.select(col(Worker.host), col(Worker.queues)).where(col(Worker.seen_at) > now(session) - seen_within)
        rows = [(host, names.split(",")) for host, names in session.execute(living)]
        for queue, orders in found.items():
            hosts = {host for host, names in rows if queue.value in names}
            if hosts and hosts <= {order.host for order in orders}:
                still.add(queue)
    return frozenset(still)


def resumed_at(session: Session, within: timedelta) -> dict[Queue, datetime]:
    """Return when each queue was last resumed, on any host, if that was within this time."""
    actions = sa.select(col(OperatorAction.at), col(OperatorAction.detail)).where(
        col(OperatorAction.action) == RESUMED, col(OperatorAction.at) > now(session) - within
    )
    found: dict[Queue, datetime] = {}
    for at, detail in session.execute(actions.order_by(col(OperatorAction.at))):
        named = detail.get("queue")
        found.update({queue: at for queue in Queue if named in ("", queue.value)})
    return found
