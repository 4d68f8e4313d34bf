"""The dead letters of a deployment, for its operator: listed, put back to work, or deleted.

To list them, RabbitMQ hands the messages out unacknowledged, and takes them back in order when the channel closes. Two
operators who look at once see different messages.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pika

from octavia.brokers.dead_letters import DeadLetter, dead_letter, unlabelled
from octavia.brokers.queues import TYPES, Names
from octavia.brokers.rabbit import RabbitBroker, answering, message_count
from octavia.errors import NotFound
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Priority, Queue
from octavia.settings import Settings

# The most bytes that are handed out at once.
_MOST_BYTES = 64 * 1024 * 1024

# As many as the project's RabbitMQ keeps.
_MOST_IN_ORDER = 10_000

Counts = Mapping[str, int]
"""Numbers of messages by the real names of the queues of dead letters."""


@dataclass(frozen=True, slots=True)
class Requeued:
    """Ids of dead letters: ``back`` to work, and ``left`` because no worker of this release could read them."""

    back: list[str]
    left: list[str]


class DeadLetterQueues:
    """The dead letters of both classic and quorum queues: a deployment may have moved from one to the other.

    Every method raises ``Unavailable`` (``broker_unavailable``) if RabbitMQ does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._broker = RabbitBroker(settings, [])
        self._queues = {
            names.dead(queue): queue
            for names in (Names(settings.queue_prefix, type_) for type_ in TYPES)
            for queue in Queue
        }
        self._quorum = {Names(settings.queue_prefix, "quorum").dead(queue) for queue in Queue}

    def counts(self, queue: Queue | None = None) -> Counts:
        """Count the dead letters of one queue or of all; queues that do not exist are left out."""
        found = {}
        with answering(), self._connection() as connection:
            for name, origin in self._queues.items():
                if queue in (None, origin) and (count := message_count(connection, name)) is not None:
                    found[name] = count
        return found

    def counts_by_queue(self) -> Mapping[Queue, int]:
        """Count the dead letters of each queue, of both types."""
        found = dict.fromkeys(Queue, 0)
        for name, count in self.counts().items():
            found[self._queues[name]] += count
        return found

    def look(self, counts: Counts, limit: int) -> list[DeadLetter]:
        """The oldest of each queue, at most ``limit`` and 64 MiB in all."""
        found: list[DeadLetter] = []
        size = 0
        with answering(), closing(self._handed_out(counts)) as letters:
            for letter, _ in letters:
                found.append(letter)
                size += len(letter.body)
                if len(found) >= limit or size >= _MOST_BYTES:
                    break
        return found

    def find(self, counts: Counts, letter_id: str) -> DeadLetter:
        """Find one by its id; raises ``NotFound`` (``dead_letter_not_found``) if there is none."""
        with answering(), closing(self._handed_out(counts)) as letters:
            for letter, _ in letters:
                if letter.id == letter_id:
                    return letter
        raise _missing([letter_id])

    def requeue(self, counts: Counts, ids: Collection[str] | None, *, force: bool = False) -> Requeued:
        """Put some, or all that were counted, back on the work queues of the type in force.

        A letter is acknowledged once RabbitMQ has confirmed its successor: an interruption in between leaves both.

        Parameters:
          ids: None for all.
          force: Put back, unchanged, also those that no worker of this release can read.

        Raises:
          NotFound: ``dead_letter_not_found``; the others were put back.
        """
        done = Requeued([], [])

        def put_back(letter: DeadLetter) -> bool:
            if letter.message is None and not force:
                done.left.append(letter.id)
                return False
            self._put_back(letter)
            done.back.append(letter.id)
            return True

        self._settle(counts, ids, put_back)
        return done

    def purge(self, counts: Counts, ids: Collection[str] | None) -> list[str]:
        """Delete some, or all that were counted (``ids`` None); returns their ids. Raises as ``requeue``."""
        gone: list[str] = []

        def delete(letter: DeadLetter) -> bool:
            gone.append(letter.id)
            return True

        self._settle(counts, ids, delete)
        return gone

    def _settle(self, counts: Counts, ids: Collection[str] | None, settled: Callable[[DeadLetter], bool]) -> None:
        """Call ``settled`` for each, and acknowledge those for which it returns True."""
        missing = set(ids or ())
        with answering(), closing(self._handed_out(counts)) as letters:
            for letter, acknowledge in letters:
                if ids is None or letter.id in missing:
                    missing.discard(letter.id)
                    if settled(letter):
                        acknowledge()
                if ids is not None and not missing:
                    break
        if missing:
            raise _missing(sorted(missing))

    def _handed_out(self, counts: Counts) -> Generator[tuple[DeadLetter, Callable[[], None]], None, None]:
        """Yield each that was counted, with a call that acknowledges it; the others go back at the end."""
        with self._connection() as connection:
            for name, count in counts.items():
                channel = connection.channel()
                left = count
                try:
                    while left and (found := channel.basic_get(name))[0] is not None:
                        left -= 1
                        method, properties, body = found
                        letter = dead_letter(self._queues[name], name, properties, body)
                        yield letter, partial(channel.basic_ack, method.delivery_tag)
                except GeneratorExit:
                    # A quorum queue puts a message that comes back behind those that came back before, so they keep
                    # their order only all together. A classic queue puts each where it was.
                    left = min(left, _MOST_IN_ORDER) if name in self._quorum else 0
                    while left and channel.basic_get(name)[0] is not None:
                        left -= 1
                    raise
                channel.close()

    def _put_back(self, letter: DeadLetter) -> None:
        broker = self._broker
        if letter.message is not None:
            level = letter.message.options.get("broker_priority") or Priority.NORMAL.level
            broker.publish(Outgoing(0, letter.queue, level, letter.body))
            return
        name = broker.names.main(letter.queue)
        broker.declare_queue(name, ensure=True)
        broker.channel.basic_publish("", name, letter.body, unlabelled(letter.properties), mandatory=True)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(self._broker.parameters)
        try:
            yield connection
        finally:
            del self._broker.connection
            if connection.is_open:
                connection.close()


def _missing(ids: Collection[str]) -> NotFound:
    return NotFound(
        f"There is no dead letter {', '.join(ids)}.",
        code="dead_letter_not_found",
        hint="octavia dead-letters list shows all of them.",
    )
