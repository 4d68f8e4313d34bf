"""Brokers as the rest of Octavia sees them, whether messages come from RabbitMQ or straight from the outbox."""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import dramatiq
from dramatiq import MessageProxy

from octavia.errors import InputError, Unavailable
from octavia.jobs.protocol.messages import Message, decode, has_valid_target, normalized
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Priority, Queue

QueueType = Literal["classic", "quorum"]

TYPES: tuple[QueueType, ...] = ("classic", "quorum")

# Arguments of a queue are for ever; a change of them needs another name, and the types have other arguments.
_VERSIONS: dict[QueueType, str] = {"classic": "v1", "quorum": "v1q"}

# Dramatiq acts on these wherever it finds them; we never send them, and they could stop a worker.
_FOREIGN_OPTIONS = frozenset({"eta", "throws"})
# What AMQP has room for.
_PRIORITIES = range(256)


def real_name(prefix: str, queue: Queue, type_: QueueType = "classic") -> str:
    """The queue's name in the broker, such as ``octavia.transcribe.v1``, of a quorum queue with ``q``."""
    return f"{prefix}.{queue.value}.{_VERSIONS[type_]}"


def dead_letters_of(name: str) -> str:
    """The real name of the dead letters of the queue with that real name."""
    return f"{name}.XQ"


@dataclass(frozen=True, slots=True)
class Names:
    """The real names of a deployment's queues of one type.

    A classic queue has priorities. A quorum queue has none before RabbitMQ 4, and then two that share rather than go
    before each other. So there, whatever the version, what is urgent has a second queue, which the same workers read
    first.
    """

    prefix: str
    type: QueueType = "classic"

    def main(self, queue: Queue) -> str:
        """The queue that its work is known by."""
        return real_name(self.prefix, queue, self.type)

    def all(self, queue: Queue) -> tuple[str, ...]:
        """Every queue with such work, the most urgent first."""
        main = self.main(queue)
        return (main,) if self.type == "classic" else (f"{main}.high", main)

    def of(self, queue: Queue, level: int) -> str:
        """Where a message of that priority level goes."""
        return self.all(queue)[0] if level >= Priority.HIGH.level else self.main(queue)

    def dead(self, queue: Queue) -> str:
        """Its dead letters, whichever queue they were on."""
        return dead_letters_of(self.main(queue))


class Refused(Unavailable):
    """The broker answers, and does not take messages for this one queue."""

    code = "queue_refused"


class Delivery(MessageProxy):
    """A message that was delivered, and the queue it came from."""

    def __init__(self, message: Message, source: Queue) -> None:
        super().__init__(message)
        self.source = source

    @property
    def message(self) -> Message:
        """The message itself."""
        return self._message


@dataclass(frozen=True)
class _Unknown:
    """Stands in for an actor that this release does not have, until ``Postpone`` has put its message back."""

    priority: int = 0
    options: dict[str, Any] = field(default_factory=dict)


class TaskBroker(dramatiq.Broker):
    """A Dramatiq broker over Octavia's queues.

    Attributes:
      names: What the queues are really called.
      logical: The queues by their real names.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.logical = {name: queue for queue in Queue for name in names.all(queue)}

    def get_actor(self, actor_name: str) -> "dramatiq.Actor[Any, Any]":
        """The actor, or a stand-in: Dramatiq would move a message of an unknown one to the dead letters at once."""
        return self.actors.get(actor_name) or cast("dramatiq.Actor[Any, Any]", _Unknown())

    @abstractmethod
    def serve(self, queues: Collection[Queue]) -> set[str]:
        """Choose what this process's worker takes; returns the names for ``dramatiq.Worker(queues=…)``."""

    @abstractmethod
    def publish(self, outgoing: Outgoing) -> None:
        """Hand over one message of the outbox, confirmed.

        Raises:
          Refused: For this queue only.
          Unavailable: ``broker_unavailable``.
        """

    @abstractmethod
    def is_empty(self, queue: Queue) -> bool:
        """Whether no message waits on the queue.

        Raises:
          Unavailable: ``broker_unavailable``, or the database's.
        """

    @abstractmethod
    def check(self) -> None:
        """Ask whether the broker answers.

        Raises:
          Unavailable: ``broker_unavailable``, or the database's.
        """


def decoded(body: bytes) -> Message | None:
    """The message as this release does it, or None for bytes that are none, or not in the shape Dramatiq expects."""
    try:
        message = decode(body)
    except InputError:
        return None
    usable = (
        isinstance(message.queue_name, str)
        and isinstance(message.actor_name, str)
        and isinstance(message.message_id, str)
        and isinstance(message.kwargs, dict)
        and isinstance(message.options, dict)
        and not _FOREIGN_OPTIONS & message.options.keys()
        and _is_priority(message.options.get("broker_priority"))
        and has_valid_target(message)
    )
    return normalized(message) if usable else None


def _is_priority(level: object) -> bool:
    return level is None or (type(level) is int and level in _PRIORITIES)
