"""RabbitMQ: durable, versioned queues, confirmed publishing, one unacknowledged message each.

Classic queues have three priorities. Quorum queues, which a cluster keeps on several nodes, have one beside each for
urgent work. If there are several URLs, each connection takes the first that answers.

Overridden parts of Dramatiq's ``RabbitmqBroker``, private ones too, and the reasons (tests/unit/test_private_names.py
checks that they exist):

- ``consume``, ``consumer_class``: a prefetch of one, urgent queues first, and dead letters that say why.
- ``declare_queue``, ``_declare_dq_queue``: no delay queues, because waiting happens in the outbox.
- ``_build_queue_arguments``, ``_declare_xq_queue``: quorum queues, and one queue of dead letters for a queue and its
  urgent one, kept for a week. ``_ensure_queue``, which calls both, is Dramatiq's own.
- ``parameters``: copies, made by ``connections`` from the settings' URLs.
- ``enqueue``: two tries instead of six, mandatory, and with a time limit (``answers``).
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import pika
import pika.exceptions
import structlog
from dramatiq import Consumer, Middleware
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import BrokerConnectionError, ConnectionClosed
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from octavia import tracing
from octavia.brokers import dead_letters
from octavia.brokers.answers import Unanswered, answered_within
from octavia.brokers.connections import LOST, connection_parameters, failure_of
from octavia.brokers.consumers import PREFETCH, QueueConsumer, UrgentFirstConsumer
from octavia.brokers.queues import Names, Refused, TaskBroker
from octavia.errors import Unavailable
from octavia.jobs.protocol.messages import TRACEPARENT, Message, decode
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings

_MAX_PRIORITY = 3
# Less than the lease on messages that are being published. A quorum queue soon replaces a leader that went down.
_ANSWER_WITHIN = 10.0
# The database decides on retries. This only ends the redelivery of a message that is never acknowledged.
_DELIVERY_LIMIT = 20
# Looking at a dead letter puts it back, which counts as a delivery too: looking must not use the limit up.
_LOOKS_LIMIT = 1_000_000
logger = structlog.get_logger()


class RabbitBroker(TaskBroker, RabbitmqBroker):
    """Octavia's queues in RabbitMQ."""

    def __init__(self, settings: Settings, middleware: list[Middleware]) -> None:
        super().__init__(
            Names(settings.queue_prefix, settings.queue_type),
            parameters=[],
            confirm_delivery=True,
            max_priority=_MAX_PRIORITY,
            middleware=middleware,
        )
        self.parameters = [connection_parameters(url) for url in settings.brokers]

    @property
    def parameters(self) -> list[pika.ConnectionParameters]:
        """The parameters of a connection to each URL, for one thread: pika changes them while it connects over TLS."""
        return [copy(each) for each in self._parameters]

    @parameters.setter
    def parameters(self, parameters: list[pika.ConnectionParameters]) -> None:
        self._parameters = parameters

    @property
    def consumer_class(self) -> type[QueueConsumer]:
        """The class of consumers; ours know the logical queue and reject messages that would stop a worker."""
        return QueueConsumer if self.names.type == "classic" else UrgentFirstConsumer

    def serve(self, queues: Collection[Queue]) -> set[str]:
        """The real names of these queues; their consumers read the urgent ones too."""
        return {self.names.main(queue) for queue in queues}

    def consume(self, queue_name: str, prefetch: int = PREFETCH, timeout: int = 5000) -> Consumer:
        """Consume with a prefetch of one, whatever Dramatiq asks for: a long task must not hold up others."""
        try:
            for name in self.names.all(self.logical[queue_name]):
                self.declare_queue(name, ensure=True)
            # The consumer has its own connection; nobody would answer the heartbeats of this one.
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
        """Declare no delay queue."""

    def _declare_xq_queue(self, queue_name: str) -> None:
        arguments: dict[str, Any] = {"x-message-ttl": int(dead_letters.KEPT.total_seconds() * 1000)}
        if self.names.type == "quorum":
            arguments |= {"x-queue-type": "quorum", "x-delivery-limit": _LOOKS_LIMIT}
        self.channel.queue_declare(self.names.dead(self.logical[queue_name]), durable=True, arguments=arguments)

    def publish(self, outgoing: Outgoing) -> None:
        """Publish on the real queue and wait for the confirmation."""
        name = self.names.of(outgoing.queue, outgoing.priority)
        # Of a job whose priority was changed, messages that were made before have the former one.
        message = decode(outgoing.message).copy(queue_name=name, options={"broker_priority": outgoing.priority})
        try:
            with tracing.span("publish", _attributes(outgoing.queue), parent=_traceparent(message), kind="producer"):
                self.enqueue(message)
        except (BrokerConnectionError, *LOST) as error:
            if isinstance(_cause(error), (pika.exceptions.AMQPChannelError, Unanswered)):
                raise _refused(name, _cause(error)) from error
            raise _unavailable(error) from error

    def enqueue(self, message: Message, *, delay: int | None = None) -> Message:
        """Publish and wait for the confirmation; try once more if the connection was stale or the queue is gone.

        Dramatiq would try six times, and wait each time for a broker that takes no messages.
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
        context = tracing.traceparent() or _traceparent(message)
        properties = pika.BasicProperties(
            delivery_mode=pika.DeliveryMode.Persistent.value,
            priority=message.options.get("broker_priority"),
            headers={TRACEPARENT: context} if context else None,
        )
        self._put(message.queue_name, message.encode(), properties)

    def _put(self, name: str, body: bytes, properties: pika.BasicProperties) -> None:
        channel = self.channel
        with answered_within(channel.connection, _ANSWER_WITHIN):
            # Mandatory: it is an error if the queue does not exist any more.
            channel.basic_publish("", name, body, properties, mandatory=True)

    def move_to_dead_letters(self, name: str, body: bytes, properties: pika.BasicProperties, reason: str) -> bool:
        """Put a message with the dead letters of its queue, confirmed; returns False if RabbitMQ refuses it.

        Parameters:
          name: The real name of the queue that delivered it.

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
        """Answer heartbeats on this thread's connection, if it has one: the server closes an idle one that does not."""
        connection = getattr(self.state, "connection", None)
        if connection is None:
            return
        try:
            connection.process_data_events(0)
        except LOST:
            del self.connection

    def is_empty(self, queue: Queue) -> bool:
        """Return True if no message waits on the queue, or it does not exist."""
        try:
            with answering(), answered_within(self.connection, _ANSWER_WITHIN):
                return not any(message_count(self.connection, name) for name in self.names.all(queue))
        finally:
            # Rarely asked, by threads that answer no heartbeats in between.
            del self.connection

    def check(self) -> None:
        """Check that a connection can be opened."""
        with answering():
            pika.BlockingConnection(self.parameters).close()


@contextmanager
def answering() -> Iterator[None]:
    """Raise ``Unavailable`` (``broker_unavailable`` or ``broker_blocked``) if the connection breaks in the block."""
    try:
        yield
    except (BrokerConnectionError, *LOST) as error:
        raise _unavailable(error) from error


def message_count(connection: pika.BlockingConnection, name: str) -> int | None:
    """The number of messages that wait on the queue of that real name; None if it does not exist."""
    try:
        return int(connection.channel().queue_declare(name, passive=True).method.message_count)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code == 404:
            return None
        raise


def blocked(reason: str) -> Unavailable:
    """The error for a broker that takes no messages; ``reason`` is the resource that RabbitMQ says it is short of."""
    return Unavailable(
        "The broker is short of memory or disk, and takes no messages.",
        reason=reason,
        code="broker_blocked",
        hint="Have the operator give RabbitMQ room. Accepted jobs are safe, and go on when it has some.",
    )


def _traceparent(message: Message) -> str | None:
    """The trace context of the job that a message is for; None if nobody traces it."""
    return tracing.valid_traceparent(message.options.get(TRACEPARENT))


def _attributes(queue: Queue) -> dict[str, str]:
    return {"messaging.system": "rabbitmq", "messaging.destination.name": queue.value}


def _cause(error: BaseException) -> BaseException:
    """The error that pika raised, which Dramatiq may have wrapped."""
    inner = error.args[0] if error.args else None
    return inner if isinstance(error, BrokerConnectionError) and isinstance(inner, BaseException) else error


def _refused(name: str, cause: BaseException) -> Refused:
    return Refused(
        f"The broker takes no messages for {name}.",
        reason=str(cause) or type(cause).__name__,
        hint="Check that most nodes of its cluster are up. If the queue was declared with other arguments, delete it "
        "when it is empty, or set OCTAVIA_QUEUE_PREFIX.",
    )


def _unavailable(error: BaseException) -> Unavailable:
    if isinstance(error, pika.exceptions.ConnectionBlockedTimeout):
        return blocked(str(error) or type(error).__name__)
    failure = failure_of(error)
    return Unavailable(
        "The broker does not answer.",
        reason=failure.reason,
        code="broker_unavailable",
        hint=failure.remedy or "Check that RabbitMQ of OCTAVIA_BROKER_URL runs and can be reached.",
    )
