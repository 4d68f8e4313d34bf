"""Consumers of RabbitMQ's queues, one message at a time: of one queue, or of an urgent queue before another."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import pika
import pika.exceptions
import structlog
from dramatiq import MessageProxy
from dramatiq.brokers.rabbitmq import _RabbitmqConsumer
from dramatiq.errors import ConnectionClosed

from octavia.brokers.gate import Gate
from octavia.brokers.queues import Delivery, Names, decoded
from octavia.jobs.protocol.messages import TRACEPARENT, Message
from octavia.jobs.tables.states import Queue

PREFETCH = 1

_NOT_OURS = "not a message of ours"

logger = structlog.get_logger()


class Source(Protocol):
    """The part of ``RabbitBroker`` that its consumers use."""

    names: Names
    logical: dict[str, Queue]
    gate: Gate
    queues_pending: set[str]

    def move_to_dead_letters(self, name: str, body: bytes, properties: pika.BasicProperties, reason: str) -> bool:
        """See ``RabbitBroker``."""


class _Raw(NamedTuple):
    """A message as RabbitMQ delivered it under the number ``tag``, from the queue with that real name."""

    queue: str
    tag: int
    properties: pika.BasicProperties
    body: bytes


class _Delivery(Delivery):
    """A message that was delivered to ``consumer``."""

    def __init__(self, message: Message, source: Queue, raw: _Raw, consumer: "QueueConsumer") -> None:
        super().__init__(message, source, (raw.properties.headers or {}).get(TRACEPARENT))
        self._tag = raw.tag
        self.raw = raw
        self.consumer = consumer


class QueueConsumer(_RabbitmqConsumer):
    """Consumes one queue.

    A rejected message is put with the dead letters, with the reason in its headers, and confirmed there before it is
    acknowledged here: a connection that breaks in between leaves two copies of it, and never loses it.

    While its queue is held (``Gate``) it subscribes to nothing, so that RabbitMQ delivers to others. It still answers
    heartbeats, and acknowledges the message in hand.
    """

    broker: Source

    def __init__(self, broker: Source, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        self._timeout = timeout / 1000
        # Dramatiq has prepared a subscription, which begins when it is first asked for a message.
        self._subscribed = False

    @property
    def _held(self) -> bool:
        return self.broker.gate.holds(self.broker.logical[self.queue_name])

    def __next__(self) -> _Delivery | None:
        try:
            if self._held:
                self._unsubscribe()
                self.connection.process_data_events(self._timeout)
                return None
            if not self._subscribed:
                self.iterator = self.channel.consume(self.queue_name, inactivity_timeout=self._timeout)
                self._subscribed = True
            method, properties, body = next(self.iterator)
            if method is None:
                return None
            return self._delivery(_Raw(self.queue_name, method.delivery_tag, properties, body))
        except (AssertionError, pika.exceptions.AMQPError) as error:
            raise self._lost(error) from None

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge the message, or give it back, unless its connection is gone, and with it its number.

        In that case the queue delivers it once more, and the claim drops it.
        """
        if not self._delivered_here(message):
            return
        assert isinstance(message, _Delivery)
        if not message.returned:
            super().ack(message)  # type: ignore[no-untyped-call]
            return
        try:
            self.connection.add_callback_threadsafe(partial(self.channel.basic_nack, message.raw.tag, requeue=True))
        except pika.exceptions.AMQPError as error:
            raise ConnectionClosed(error) from None
        self.known_tags.discard(message.raw.tag)

    def nack(self, message: MessageProxy) -> None:
        """Move a message that the worker rejected to the dead letters."""
        if not self._delivered_here(message):
            return
        assert isinstance(message, _Delivery)
        try:
            self.connection.add_callback_threadsafe(self._reject(message.raw, str(message._exception or "rejected")))
        except pika.exceptions.AMQPError as error:
            raise ConnectionClosed(error) from None
        self.known_tags.discard(message.raw.tag)

    def _unsubscribe(self) -> None:
        """Give up the subscription; messages that were delivered and not handed out go back."""
        if self._subscribed:
            self.channel.cancel()
            self._subscribed = False

    def _delivered_here(self, message: MessageProxy) -> bool:
        assert isinstance(message, _Delivery)
        if message.consumer is self:
            return True
        logger.info("will_be_delivered_again", queue=self.queue_name, message_id=message.message_id)
        return False

    def _delivery(self, raw: _Raw) -> _Delivery | None:
        message = decoded(raw.body)
        if message is None:
            logger.error("message_rejected", queue=raw.queue, size=len(raw.body), reason=_NOT_OURS)
            self._reject(raw, _NOT_OURS)()
            return None
        self.known_tags.add(raw.tag)
        # Dramatiq finds the consumer that acknowledges by the message's queue name.
        named = message.copy(queue_name=self.queue_name)
        return _Delivery(named, self.broker.logical[self.queue_name], raw, self)

    def _reject(self, raw: _Raw, reason: str) -> Callable[[], None]:
        """Move it to the dead letters; returns the call left to make, in the thread of the connection."""
        if self.broker.move_to_dead_letters(raw.queue, raw.body, raw.properties, reason):
            return partial(self.channel.basic_ack, raw.tag)
        return partial(self.channel.basic_nack, raw.tag, requeue=False)

    def _lost(self, error: BaseException) -> ConnectionClosed:
        if getattr(error, "reply_code", None) == 404:
            self.broker.queues_pending.update(self.broker.names.all(self.broker.logical[self.queue_name]))
        return ConnectionClosed(error)


class UrgentFirstConsumer(QueueConsumer):
    """Consumes several queues as if they were one, and holds one message at a time.

    RabbitMQ has no prefetch over several quorum queues: with a subscription to each, a process that works on one
    message would keep another one waiting. So messages are fetched, from the most urgent queue that has any. Only while
    all are empty are they subscribed to, until one delivers.

    Since RabbitMQ 4.3 one quorum queue with priorities would do; see ``queues.Names``.
    """

    def __init__(self, broker: Source, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)
        self._queues = broker.names.all(broker.logical[queue_name])
        self._subscriptions: list[str] = []
        self._arrived: deque[_Raw] = deque()
        self._canceled = False
        self.channel.add_on_cancel_callback(self._on_cancel)

    def __next__(self) -> _Delivery | None:
        deadline = time.monotonic() + self._timeout
        try:
            while True:
                if self._held:
                    self._unsubscribe()
                raw = None if self.known_tags or self._held else self._next_raw()
                if raw is not None:
                    return self._delivery(raw)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                # Acknowledgements are sent from here, too, and heartbeats answered.
                self.connection.process_data_events(left)
                if self._canceled:
                    # A queue was deleted, and its subscription with it.
                    self.broker.queues_pending.update(self._queues)
                    raise ConnectionClosed("a queue is gone")
        except (AssertionError, pika.exceptions.AMQPError) as error:
            raise self._lost(error) from None

    def _next_raw(self) -> _Raw | None:
        if not self._subscriptions:
            for name in self._queues:
                method, properties, body = self.channel.basic_get(name)
                if method is not None:
                    return _Raw(name, method.delivery_tag, properties, body)
            self._subscriptions = [
                self.channel.basic_consume(name, partial(self._on_message, name)) for name in self._queues
            ]
        if not self._arrived:
            return None
        first = min(self._arrived, key=lambda raw: self._queues.index(raw.queue))
        self._arrived.remove(first)
        self._unsubscribe()
        return first

    def _unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            # A message that is still on its way goes back.
            self.channel.basic_cancel(subscription)
        self._subscriptions = []
        for arrived in self._arrived:
            self.channel.basic_nack(arrived.tag, requeue=True)
        self._arrived.clear()

    def _on_message(
        self, queue: str, _channel: Any, method: Any, properties: pika.BasicProperties, body: bytes
    ) -> None:
        self._arrived.append(_Raw(queue, method.delivery_tag, properties, body))

    def _on_cancel(self, _frame: Any) -> None:
        self._canceled = True
