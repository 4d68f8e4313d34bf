"""RabbitMQ: durable, versioned queues with three priorities, confirmed publishing, one unacknowledged message each."""

from collections.abc import Collection
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pika.exceptions
import structlog
from dramatiq import Consumer, Middleware
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer
from dramatiq.errors import BrokerConnectionError, ConnectionClosed
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from octavia.errors import Unavailable
from octavia.jobs.messages import Message, decode
from octavia.jobs.records import Outgoing
from octavia.jobs.states import Queue
from octavia.queues import Delivery, TaskBroker, decoded, real_name
from octavia.settings import Settings

_MAX_PRIORITY = 3
_PREFETCH = 1
# Seconds, as text for the URL. A stuck publisher notices within half a minute; a vanished peer within one.
_CONNECTION_DEFAULTS = {
    "heartbeat": "30",
    "blocked_connection_timeout": "30",
    "socket_timeout": "10",
    "stack_timeout": "10",
}
# What pika raises; a peer that accepts and stays silent is an AMQPConnectorException, which is no AMQPError.
_LOST = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)

logger = structlog.get_logger()


class RabbitBroker(TaskBroker, RabbitmqBroker):
    """Octavia's queues in RabbitMQ.

    Nothing is published with a Dramatiq delay (waiting happens in the outbox), so there are no delay queues.
    """

    def __init__(self, settings: Settings, middleware: list[Middleware]) -> None:
        TaskBroker.__init__(self, settings.queue_prefix)
        urls = [_with_defaults(url) for url in settings.broker_url.split(";") if url]
        RabbitmqBroker.__init__(
            self, url=urls, confirm_delivery=True, max_priority=_MAX_PRIORITY, middleware=middleware
        )

    @property
    def consumer_class(self) -> type["_Consumer"]:
        """Ours knows the logical queue and refuses what would stop a worker."""
        return _Consumer

    def serve(self, queues: Collection[Queue]) -> set[str]:
        """The real names of these queues."""
        return {real_name(self.prefix, queue) for queue in queues}

    def consume(self, queue_name: str, prefetch: int = _PREFETCH, timeout: int = 5000) -> Consumer:
        """Consume with a prefetch of one, whatever Dramatiq asks for: a long task must not hold back others."""
        try:
            self.declare_queue(queue_name, ensure=True)
            # The consumer has a connection of its own; nobody would answer the heartbeats of this one.
            del self.connection
            return super().consume(queue_name, _PREFETCH, timeout)
        except AMQPConnectorException as error:
            raise ConnectionClosed(error) from None

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Declare a queue and its dead letters."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.queues_pending.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self._ensure_queue(queue_name)  # type: ignore[no-untyped-call]

    def _declare_dq_queue(self, queue_name: str) -> None:
        """No delay queue: see the class."""

    def publish(self, outgoing: Outgoing) -> None:
        """Publish on the real queue and wait for the confirmation."""
        message = decode(outgoing.message).copy(queue_name=real_name(self.prefix, outgoing.queue))
        try:
            self.enqueue(message)
        except (BrokerConnectionError, *_LOST) as error:
            raise _unavailable(error) from error

    def service(self) -> None:
        """Answer heartbeats on this thread's connection, if it has one; an idle one would be closed by the server."""
        connection = getattr(self.state, "connection", None)
        if connection is None:
            return
        try:
            connection.process_data_events(0)
        except _LOST:
            del self.connection

    def is_empty(self, queue: Queue) -> bool:
        """Look without creating the queue; one that does not exist is empty."""
        try:
            try:
                name = real_name(self.prefix, queue)
                return bool(self.channel.queue_declare(name, passive=True).method.message_count == 0)
            finally:
                # Rarely asked, by threads that answer no heartbeats in between.
                del self.connection
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code == 404:
                return True
            raise _unavailable(error) from error
        except _LOST as error:
            raise _unavailable(error) from error

    def check(self) -> None:
        """Open a connection and close it again."""
        try:
            pika.BlockingConnection(self.parameters).close()
        except _LOST as error:
            raise _unavailable(error) from error


class _Delivery(Delivery):
    """A message that RabbitMQ delivered under ``_tag``."""

    def __init__(self, message: Message, source: Queue, tag: int) -> None:
        super().__init__(message, source)
        self._tag = tag


class _Consumer(_RabbitmqConsumer):
    """Consumes one queue."""

    def __next__(self) -> _Delivery | None:
        try:
            method, _properties, body = next(self.iterator)
        except (AssertionError, pika.exceptions.AMQPError) as error:
            if getattr(error, "reply_code", None) == 404:
                self.broker.queues_pending.add(self.queue_name)
            raise ConnectionClosed(error) from None
        if method is None:
            return None
        message = decoded(body)
        if message is None:
            logger.error("message_rejected", queue=self.queue_name, size=len(body), reason="not a message of ours")
            self._nack(method.delivery_tag)  # type: ignore[no-untyped-call]
            return None
        self.known_tags.add(method.delivery_tag)
        # Workers find the consumer to acknowledge with by the message's queue name.
        named = message.copy(queue_name=self.queue_name)
        return _Delivery(named, self.broker.logical[self.queue_name], method.delivery_tag)


def _with_defaults(url: str) -> str:
    parts = urlsplit(url)
    query = {**_CONNECTION_DEFAULTS, **dict(parse_qsl(parts.query))}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _unavailable(error: BaseException) -> Unavailable:
    reason = str(error) or type(error).__name__
    return Unavailable(
        f"The broker does not answer: {reason}",
        code="broker_unavailable",
        hint="Check that RabbitMQ of OCTAVIA_BROKER_URL runs and can be reached.",
    )
