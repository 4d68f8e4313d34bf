"""Brokers as the rest of Octavia sees them, whether messages come from RabbitMQ or straight from the outbox."""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

import dramatiq
from dramatiq import MessageProxy

from octavia.errors import InputError
from octavia.jobs.messages import Message, decode
from octavia.jobs.records import Outgoing
from octavia.jobs.states import Queue

# Arguments of a queue are for ever; a change of them needs another name.
_VERSION = "v1"

# Dramatiq acts on these wherever it finds them; we never send them, and they could stop a worker.
_FOREIGN_OPTIONS = frozenset({"eta", "throws"})


def real_name(prefix: str, queue: Queue) -> str:
    """The queue's name in the broker, such as ``octavia.transcribe.v1``."""
    return f"{prefix}.{queue.value}.{_VERSION}"


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
      logical: The queues by their real names.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.logical = {real_name(prefix, queue): queue for queue in Queue}

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
    """The message, or None for bytes that are none, or not of the shape that Dramatiq takes for granted."""
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
    )
    return message if usable else None
