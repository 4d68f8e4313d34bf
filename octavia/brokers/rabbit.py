"""RabbitMQ: durable, versioned queues, confirmed publishing, one unacknowledged message each.

Classic queues have three priorities; quorum queues, which a cluster keeps on several nodes, have a queue beside each
for what is urgent. Of several URLs each connection takes the first that answers.
"""

from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pika
import pika.exceptions
import structlog
from dramatiq import Consumer, Middleware
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import BrokerConnectionError, ConnectionClosed
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from octavia.brokers import dead_letters
from octavia.brokers.answers import Unanswered, answered_within
from octavia.brokers.consumers import PREFETCH, QueueConsumer, UrgentFirstConsumer
from octavia.brokers.queues import Names, Refused, TaskBroker
from octavia.errors import Unavailable
from octavia.jobs.protocol.messages import Message, decode
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings

_MAX_PRIORITY = 3
_MILLISECONDS = 1000
# Less than the lease on what is published. A quorum queue whose leader went down has another one in a moment.
_ANSWER_WITHIN = 10.0
# Whether a task is tried again is the database's to decide. This only ends what the queue itself would go on with.
_DELIVERY_LIMIT = 20
# Who looks at a dead letter puts it back, which counts as a delivery too: looking must not use it up.
_LOOKS_LIMIT = 1_000_000
# Seconds, as text for the URL. A vanished peer is noticed within a minute. Who publishes to a broker that takes no
# messages for want of memory or disk gives up well before the lease on what it publishes ends.
_CONNECTION_DEFAULTS = {
    "heartbeat": "30",
    "blocked_connection_timeout": "5",
    "socket_timeout": "10",
    "stack_timeout": "10",
}

LOST = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)
"""What pika raises; a peer that accepts and stays silent is an AMQPConnectorException, which is no AMQPError."""

logger = structlog.get_logger()


class RabbitBroker(TaskBroker, RabbitmqBroker):
    """Octavia's queues in RabbitMQ.

    Nothing is published with a Dramatiq delay (waiting happens in the outbox), so there are no delay queues.
    """

    def __init__(self, settings: Settings, middleware: list[Middleware]) -> None:
        TaskBroker.__init__(self, Names(settings.queue_prefix, settings.queue_type))
        RabbitmqBroker.__init__(
            self,
            url=[with_defaults(url) for url in settings.broker_url.split(";") if url],
            confirm_delivery=True,
            max_priority=_MAX_PRIORITY,
            middleware=middleware,
        )

    @property
    def consumer_class(self) -> type[QueueConsumer]:
        """Ours knows the logical queue and refuses what would stop a worker."""
        return QueueConsumer if self.names.type == "classic" else UrgentFirstConsumer

    def serve(self, queues: Collection[Queue]) -> set[str]:
        """The real names of these queues; what is urgent comes with them."""
        return {self.names.main(queue) for queue in queues}

    def consume(self, queue_name: str, prefetch: int = PREFETCH, timeout: int = 5000) -> Consumer:
        """Consume with a prefetch of one, whatever Dramatiq asks for: a long task must not hold back others."""
        try:
            for name in self.names.all(self.logical[queue_name]):
                self.declare_queue(name, ensure=True)
            # The consumer has a connection of its own; nobody would answer the heartbeats of this one.
            del self.connection
            return self.consumer_class(self, queue_name, PREFETCH, timeout)
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

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        arguments = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.names.dead(self.logical[queue_name]),
        }
        if self.names.type == "classic":
            return arguments | {"x-max-priority": _MAX_PRIORITY}
        return arguments | {"x-queue-type": "quorum", "x-delivery-limit": _DELIVERY_LIMIT}

    def _declare_dq_queue(self, queue_name: str) -> None:
        """No delay queue: see the class."""

    def _declare_xq_queue(self, queue_name: str) -> None:
        arguments: dict[str, Any] = {"x-message-ttl": int(dead_letters.KEPT.total_seconds() * _MILLISECONDS)}
        if self.names.type == "quorum":
            arguments |= {"x-queue-type": "quorum", "x-delivery-limit": _LOOKS_LIMIT}
        self.channel.queue_declare(self.names.dead(self.logical[queue_name]), durable=True, arguments=arguments)

    def publish(self, outgoing: Outgoing) -> None:
        """Publish on the real queue and wait for the confirmation."""
        name = self.names.of(outgoing.queue, outgoing.priority)
        message = decode(outgoing.message).copy(queue_name=name)
        try:
            self.enqueue(message)
        except (BrokerConnectionError, *LOST) as error:
            if isinstance(_cause(error), (pika.exceptions.AMQPChannelError, Unanswered)):
                raise _refused(name, _cause(error)) from error
            raise unavailable(error) from error

    def enqueue(self, message: Message, *, delay: int | None = None) -> Message:
        """Publish and wait for the confirmation, once more if the connection turns out to be stale or the queue gone.

        Dramatiq would try six times, and each time wait for a broker that takes no messages.
        """
        try:
            self._send(message)
        except (pika.exceptions.ConnectionBlockedTimeout, Unanswered):
            del self.connection
            raise
        except (pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError) as error:
            del self.connection
            if isinstance(error, pika.exceptions.UnroutableError):
                self.queues_pending.add(message.queue_name)
            self._send(message)
        return message

    def _send(self, message: Message) -> None:
        self.declare_queue(message.queue_name, ensure=True)
        properties = pika.BasicProperties(
            delivery_mode=pika.DeliveryMode.Persistent.value, priority=message.options.get("broker_priority")
        )
        self._put(message.queue_name, message.encode(), properties)

    def _put(self, name: str, body: bytes, properties: pika.BasicProperties) -> None:
        channel = self.channel
        with answered_within(channel.connection, _ANSWER_WITHIN):
            # Mandatory: if there is no such queue any more, that is an error.
            channel.basic_publish("", name, body, properties, mandatory=True)

    def bury(self, name: str, body: bytes, properties: pika.BasicProperties, reason: str) -> bool:
        """Put what the queue of that name delivered onto its dead letters, confirmed; False if RabbitMQ refuses it so.

        Raises:
          ConnectionClosed: The broker does not answer, or the dead letters are gone and will be declared again.
        """
        try:
            label = dead_letters.labelled(properties, queue=name, reason=reason)
            self._put(self.names.dead(self.logical[name]), body, label)
        except pika.exceptions.UnroutableError as error:
            self.queues_pending.add(name)
            raise ConnectionClosed(error) from None
        except pika.exceptions.AMQPChannelError as error:
            logger.warning("burial_refused", queue=name, reason=str(error))
            return False
        except LOST as error:
            raise ConnectionClosed(error) from None
        finally:
            # Rarely needed, by threads that answer no heartbeats in between.
            del self.connection
        return True

    def service(self) -> None:
        """Answer heartbeats on this thread's connection, if it has one; an idle one would be closed by the server."""
        connection = getattr(self.state, "connection", None)
        if connection is None:
            return
        try:
            connection.process_data_events(0)
        except LOST:
            del self.connection

    def is_empty(self, queue: Queue) -> bool:
        """Look without creating the queue; one that does not exist is empty."""
        try:
            with answered_within(self.connection, _ANSWER_WITHIN):
                return not any(message_count(self.connection, name) for name in self.names.all(queue))
        except LOST as error:
            raise unavailable(error) from error
        finally:
            # Rarely asked, by threads that answer no heartbeats in between.
            del self.connection

    def check(self) -> None:
        """Open a connection and close it again."""
        try:
            pika.BlockingConnection(self.parameters).close()
        except LOST as error:
            raise unavailable(error) from error


def message_count(connection: pika.BlockingConnection, name: str) -> int | None:
    """How many messages wait on the queue of that real name; None if there is no such queue."""
    try:
        return int(connection.channel().queue_declare(name, passive=True).method.message_count)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code == 404:
            return None
        raise


def with_defaults(url: str) -> str:
    """The URL with limits for its connections where it names none."""
    parts = urlsplit(url)
    query = {**_CONNECTION_DEFAULTS, **dict(parse_qsl(parts.query))}
    return urlunsplit(parts._replace(query=urlencode(query)))


def blocked(reason: str) -> Unavailable:
    """The error for a broker that takes no messages because it runs low on what ``reason`` says."""
    return Unavailable(
        "The broker is short of memory or disk, and takes no messages.",
        reason=reason,
        code="broker_blocked",
        hint="Have the operator give RabbitMQ room. What was accepted is safe, and goes on when there is some.",
    )


def _cause(error: BaseException) -> BaseException:
    """What pika raised, where Dramatiq has wrapped it."""
    inner = error.args[0] if error.args else None
    return inner if isinstance(error, BrokerConnectionError) and isinstance(inner, BaseException) else error


def _refused(name: str, cause: BaseException) -> Refused:
    return Refused(
        f"The broker takes no messages for {name}.",
        reason=str(cause) or type(cause).__name__,
        hint="See that most nodes of its cluster are up. If somebody else declared it otherwise, delete it when it is "
        "empty, or set OCTAVIA_QUEUE_PREFIX.",
    )


def unavailable(error: BaseException) -> Unavailable:
    """What the rest of Octavia hears of it."""
    reason = str(error) or type(error).__name__
    if isinstance(error, pika.exceptions.ConnectionBlockedTimeout):
        return blocked(reason)
    return Unavailable(
        "The broker does not answer.",
        reason=reason,
        code="broker_unavailable",
        hint="Check that RabbitMQ of OCTAVIA_BROKER_URL runs and can be reached.",
    )
