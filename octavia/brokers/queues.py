"""The interface of a broker, whether messages come from RabbitMQ or straight from the outbox."""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, cast

import dramatiq
from dramatiq import MessageProxy

from octavia.brokers.gate import Gate
from octavia.errors import InputError, Unavailable
from octavia.jobs.protocol.messages import TRACEPARENT, Message, decode, has_valid_target, normalized
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Priority, Queue
from octavia.tracing import valid_traceparent

QueueType = Literal["classic", "quorum"]

TYPES: tuple[QueueType, ...] = ("classic", "quorum")

# The arguments of an existing queue cannot change: other arguments, as the types have, need another name.
_VERSIONS: dict[QueueType, str] = {"classic": "v1", "quorum": "v1q"}

# Dramatiq acts on these wherever it finds them. We never send them, and they could stop a worker.
_FOREIGN_OPTIONS = frozenset({"eta", "throws"})
# AMQP keeps a priority in one byte.
_PRIORITIES = range(256)


def real_name(prefix: str, queue: Queue, type_: QueueType = "classic") -> str:
    """The queue's name in the broker, such as ``octavia.transcribe.v1``, or ``octavia.transcribe.v1q`` if quorum."""
    return f"{prefix}.{queue.value}.{_VERSIONS[type_]}"


def dead_letters_of(name: str) -> str:
    """The real name of the queue of dead letters for the queue with that real name."""
    return f"{name}.XQ"


@dataclass(frozen=True, slots=True)
class Names:
    """The real names of a deployment's queues of one type.

    A classic queue has priorities. A quorum queue has strict ones only since RabbitMQ 4.3 (up to 32, by
    ``x-max-priority`` as well); before 4.0 it has none, and from 4.0 to 4.2 two that share the workers. So that all
    these releases will do, urgent work has a second quorum queue, which the same workers read first.
    """

    prefix: str
    type: QueueType = "classic"

    def main(self, queue: Queue) -> str:
        """The queue that workers and operators know it by."""
        return real_name(self.prefix, queue, self.type)

    def all(self, queue: Queue) -> tuple[str, ...]:
        """All queues with its work, the most urgent first."""
        main = self.main(queue)
        return (main,) if self.type == "classic" else (f"{main}.high", main)

    def of(self, queue: Queue, level: int) -> str:
        """The queue for a message of that priority level."""
        return self.all(queue)[0] if level >= Priority.HIGH.level else self.main(queue)

    def dead(self, queue: Queue) -> str:
        """The one queue of dead letters for all of its queues."""
        return dead_letters_of(self.main(queue))


class Refused(Unavailable):
    """The broker answers, but takes no messages for this one queue."""

    code = "queue_refused"


class Delivery(MessageProxy):
    """A delivered message and its source, the logical queue that it came from.

    Parameters:
      traceparent: The trace context that came with it, if not in its options; whatever its sender wrote there.

    Attributes:
      traceparent: The context of whatever sent it, if it is valid.
      returned: Set if the message was not begun: instead of acknowledging it, its consumer gives it back to its queue.
      claimed: Set once its task is claimed, which marks the message as sent.
    """

    def __init__(self, message: Message, source: Queue, traceparent: object = None) -> None:
        super().__init__(message)
        self.source = source
        self.returned = False
        self.claimed = False
        self.traceparent = valid_traceparent(traceparent) or valid_traceparent(message.options.get(TRACEPARENT))

    @property
    def message(self) -> Message:
        """The message itself."""
        return self._message


class TaskBroker(dramatiq.Broker):
    """A Dramatiq broker over Octavia's queues.

    Attributes:
      names: The real names of the queues.
      logical: The logical queues by their real names.
      gate: The queues that this process takes no messages of now.
      takes_posted: Messages of the outbox must be published to it; otherwise its workers read the outbox themselves.

    Parameters:
      options: For the Dramatiq broker underneath.
    """

    takes_posted = True

    def __init__(self, names: Names, **options: Any) -> None:
        self.names = names
        self.logical = {name: queue for queue in Queue for name in names.all(queue)}
        self.gate = Gate()
        super().__init__(**options)

    def get_actor(self, actor_name: str) -> "dramatiq.Actor[Any, Any]":
        """The actor, or a stand-in until ``Postpone`` has put back the message of an actor unknown to this release.

        Dramatiq would move such a message to the dead letters at once.
        """
        return self.actors.get(actor_name) or cast(Any, SimpleNamespace(priority=0, options={}))

    @abstractmethod
    def serve(self, queues: Collection[Queue]) -> set[str]:
        """Choose the queues that this process consumes; returns the names for ``dramatiq.Worker(queues=…)``."""

    @abstractmethod
    def publish(self, outgoing: Outgoing) -> None:
        """Publish one message of the outbox, and wait for the confirmation.

        Raises ``Refused`` if the broker takes no messages for this queue, ``Unavailable`` if it does not answer.
        """

    def service(self) -> None:
        """Keep this thread's connection alive, if it has one; called now and then."""

    @abstractmethod
    def is_empty(self, queue: Queue) -> bool:
        """Return True if no message waits on the queue; raises as ``check``."""

    @abstractmethod
    def check(self) -> None:
        """Check that the broker answers; raises ``Unavailable`` (``broker_unavailable``, or the database's) if not."""


def decoded(body: bytes) -> Message | None:
    """The message as this release reads it; None if the bytes are no message, or none that Dramatiq could handle."""
    try:
        message = decode(body)
    except InputError:
        return None
    usable = (
        all(isinstance(name, str) for name in (message.queue_name, message.actor_name, message.message_id))
        and isinstance(message.kwargs, dict)
        and isinstance(message.options, dict)
        and not _FOREIGN_OPTIONS & message.options.keys()
        and _is_priority(message.options.get("broker_priority"))
        and has_valid_target(message)
    )
    return normalized(message) if usable else None


def _is_priority(level: object) -> bool:
    return level is None or (type(level) is int and level in _PRIORITIES)
