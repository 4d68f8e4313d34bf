"""Operators' orders for dead letters: counted first if they like, carried out, and written down."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from octavia.brokers.dead_letter_queues import Counts, DeadLetterQueues, Requeued
from octavia.errors import CountChanged
from octavia.jobs.operations import audit
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue

_MOST_NOTED: Final = 100


@dataclass(frozen=True, slots=True)
class Order:
    """Some dead letters.

    Parameters:
      queue: Of this queue only; None: of all.
      ids: These only; None: all.
      expected: Their number as it was confirmed; None: any.
    """

    queue: Queue | None = None
    ids: frozenset[str] | None = None
    expected: int | None = None

    @property
    def target(self) -> str:
        """The dead letters as they were named, for the record."""
        where = self.queue.value if self.queue else "all queues"
        return where if self.ids is None else f"{','.join(sorted(self.ids))} of {where}"


@dataclass(frozen=True, slots=True)
class Concerned:
    """The dead letters that an order concerns: ``counts`` for the queues, ``ids`` as ordered, and how many they are."""

    counts: Counts
    ids: Collection[str] | None
    count: int


@dataclass(frozen=True, slots=True)
class Done:
    """An order that was carried out: its id in the record, and the ids of dead letters.

    Attributes:
      ids: Those that were put back, or deleted.
      left: Those that no worker of this release could read.
      missing: Those that were named, and are not there.
    """

    action_id: UUID
    ids: list[str]
    left: list[str]
    missing: list[str]


def look(queues: DeadLetterQueues, order: Order) -> Concerned:
    """Find what an order concerns. Ids that are not there are left out."""
    counts = queues.counts(order.queue)
    if order.ids is None:
        return Concerned(counts, None, sum(counts.values()))
    present = queues.present(counts, order.ids)
    return Concerned(counts, present, len(present))


def requeue(db: Database, queues: DeadLetterQueues, order: Order, *, by: str, force: bool = False) -> Done:
    """Put dead letters back to work, as ``DeadLetterQueues.requeue``.

    Parameters:
      by: Who orders it, for the record.

    Raises ``CountChanged`` if they are not as many as expected; then nothing was done.
    """
    return _carry_out(
        db,
        queues,
        order,
        by,
        "requeue_dead_letters",
        lambda found: queues.requeue(found.counts, found.ids, force=force),
    )


def purge(db: Database, queues: DeadLetterQueues, order: Order, *, by: str) -> Done:
    """Delete dead letters; parameters and errors as for ``requeue``."""

    def call(found: Concerned) -> Requeued:
        return Requeued(queues.purge(found.counts, found.ids), [])

    return _carry_out(db, queues, order, by, "purge_dead_letters", call)


def _carry_out(
    db: Database,
    queues: DeadLetterQueues,
    order: Order,
    by: str,
    action: str,
    call: Callable[[Concerned], Requeued],
) -> Done:
    found = look(queues, order)
    if order.expected not in (None, found.count):
        raise CountChanged(found.count, expected=order.expected or 0)
    # Before it is done, so that nothing happens without a record.
    with db.transaction() as session:
        action_id = audit.record(session, by=by, action=action, target=order.target, count=0)
    done = call(found) if found.count else Requeued([], [])
    with db.transaction() as session:
        audit.advance(
            session, action_id, count=len(done.back), detail={"ids": done.back[:100], "left": done.left[:100]}
        )
    missing = (order.ids or frozenset()).difference(found.ids or ())
    return Done(action_id, done.back, done.left, sorted(missing))
