"""The broker of a deployment without RabbitMQ: workers take their messages straight from the outbox."""

import threading
import time
from collections.abc import Collection, Iterable

import structlog
from dramatiq import Consumer, MessageProxy, Middleware
from dramatiq.errors import ConnectionClosed

from octavia.brokers.queues import Delivery, Names, TaskBroker, decoded
from octavia.errors import Unavailable
from octavia.jobs.protocol import outbox
from octavia.jobs.protocol.messages import Message
from octavia.jobs.status import backlog
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Priority, Queue
from octavia.settings import Settings

# Dramatiq has a consumer for each queue; here one serves them all, so that a process has one message at a time.
_LINE = "outbox"
_IDLE_POLL = 0.1

logger = structlog.get_logger()


class EmbeddedBroker(TaskBroker):
    """Octavia's queues in the database.

    A message is leased, and the claim of its task marks it as sent. If the process dies in between, the lease ends and
    another one gets the message; after the claim, the task is queued again with a message of its own.
    """

    takes_posted = False

    def __init__(self, settings: Settings, db: Database, middleware: list[Middleware]) -> None:
        super().__init__(Names(settings.queue_prefix), middleware=middleware)
        self.db = db
        self.lease_seconds = settings.lease_seconds
        self.serving: Collection[Queue] = tuple(Queue)

    def serve(self, queues: Collection[Queue]) -> set[str]:
        """Take messages of these queues only."""
        self.serving = tuple(queues)
        return {_LINE}

    def declare_queue(self, queue_name: str) -> None:
        """Declare the one line that serves all queues."""
        if _LINE not in self.queues:
            self.emit_before("declare_queue", _LINE)
            self.queues[_LINE] = None
            self.emit_after("declare_queue", _LINE)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> "_OutboxConsumer":
        """Consume the one line, one message at a time, whatever prefetch Dramatiq asks for."""
        return _OutboxConsumer(self, timeout / 1000)

    def enqueue(self, message: Message, *, delay: int | None = None) -> Message:
        """Put a message into the outbox, to be delivered after ``delay`` milliseconds.

        Raises ``Unavailable`` if the database does not answer.
        """
        queue = self.logical[message.queue_name]
        self.emit_before("enqueue", message, delay)
        priority = message.options.get("broker_priority") or Priority.NORMAL.level
        body = message.copy(queue_name=queue.value).encode()
        with self.db.transaction() as session:
            outbox.add(session, queue, priority, body, delay=(delay or 0) / 1000)
        self.emit_after("enqueue", message, delay)
        return message

    def publish(self, outgoing: Outgoing) -> None:
        """Nothing publishes what workers take from the outbox themselves."""
        raise NotImplementedError("the embedded broker needs no relay")

    def is_empty(self, queue: Queue) -> bool:
        """Return True if no message for the queue is due or in delivery."""
        return not backlog.has_due_message(self.db, [queue], leased=True)

    def check(self) -> None:
        """Check that the database answers: it is the broker."""
        self.db.check()


class _OutboxDelivery(Delivery):
    def __init__(self, message: Message, row: Outgoing) -> None:
        super().__init__(message.copy(queue_name=_LINE), row.queue)
        self.row = row


class _OutboxConsumer(Consumer):
    """Delivers one message and waits until that is acknowledged or rejected.

    ``__next__`` runs in the consumer's thread, ``ack`` and ``nack`` in the worker's.
    """

    def __init__(self, broker: EmbeddedBroker, timeout: float) -> None:
        self._broker = broker
        self._timeout = timeout
        self._free = threading.Event()
        self._free.set()

    def __next__(self) -> _OutboxDelivery | None:
        deadline = time.monotonic() + self._timeout
        added = self._broker.db.outbox_wakeup
        while (left := deadline - time.monotonic()) > 0:
            if self._free.wait(left):
                # Cleared before the look: a message that this process adds from here on sets it again.
                added.clear()
                if delivery := self._take():
                    return delivery
                added.wait(_IDLE_POLL)
        return None

    def ack(self, message: MessageProxy) -> None:
        assert isinstance(message, _OutboxDelivery)
        if message.returned:
            self.requeue([message])
            self._free.set()
        elif message.claimed:
            self._free.set()
        else:
            self._done(message.row)

    def nack(self, message: MessageProxy) -> None:
        assert isinstance(message, _OutboxDelivery)
        logger.error("message_rejected", queue=message.row.queue.value, outbox_id=message.row.id)
        self._done(message.row)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give back messages that were delivered and not begun."""
        rows = [message.row.id for message in messages if isinstance(message, _OutboxDelivery)]
        try:
            outbox.release(self._broker.db, rows, delay=0)
        except Unavailable as error:
            # Their lease brings them back.
            raise ConnectionClosed(error) from None

    def _take(self) -> _OutboxDelivery | None:
        db, gate = self._broker.db, self._broker.gate
        serving = [queue for queue in self._broker.serving if not gate.holds(queue)]
        try:
            # Look before leasing: an idle process must not take the write lock ten times a second.
            if not serving or not backlog.has_due_message(db, serving):
                return None
            rows = outbox.lease(db, limit=1, seconds=self._broker.lease_seconds, queues=serving)
        except Unavailable as error:
            raise ConnectionClosed(error) from None
        for row in rows:
            if message := decoded(row.message):
                self._free.clear()
                return _OutboxDelivery(message, row)
            logger.error("message_rejected", queue=row.queue.value, outbox_id=row.id, reason="not a message of ours")
            self._done(row)
        return None

    def _done(self, row: Outgoing) -> None:
        try:
            outbox.mark_published(self._broker.db, [row.id])
        except Unavailable as error:
            # Dramatiq tries again.
            raise ConnectionClosed(error) from None
        self._free.set()
