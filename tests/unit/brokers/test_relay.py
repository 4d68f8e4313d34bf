import threading
import time
from collections.abc import Collection, Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.brokers.embedded import EmbeddedBroker
from octavia.brokers.queues import Names, Refused, TaskBroker
from octavia.brokers.rabbit import RabbitBroker
from octavia.brokers.relay import Relay
from octavia.errors import Unavailable
from octavia.jobs.protocol import messages, outbox
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Outgoing, TaskRef
from octavia.jobs.tables.rows import OutboxMessage
from octavia.jobs.tables.states import Queue, Stage
from octavia.settings import Settings
from tests.support.waiting import until


class Recorder(TaskBroker):
    """Keeps what is published, unless it is away; the real one is tested with a real RabbitMQ."""

    def __init__(self) -> None:
        super().__init__(Names("test"), middleware=[])
        self.got: list[Outgoing] = []
        self.away_after: int | None = None
        self.refused: Queue | None = None
        self.broken_at: int | None = None

    def publish(self, outgoing: Outgoing) -> None:
        messages.decode(outgoing.message)
        if self.away_after is not None and len(self.got) >= self.away_after:
            raise Unavailable("away", code="broker_unavailable")
        if outgoing.queue is self.refused:
            raise Refused("not there")
        if outgoing.priority == self.broken_at:
            raise RuntimeError("a mistake")
        self.got.append(outgoing)

    def serve(self, queues: Collection[Queue]) -> set[str]:
        return set()

    def is_empty(self, queue: Queue) -> bool:
        return not self.got

    def check(self) -> None:
        return


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def _add(db: Database, *priorities: int) -> None:
    with db.transaction() as session:
        for number, priority in enumerate(priorities):
            message = messages.message_for(TaskRef(uuid4(), 1, number, Stage.TRANSCRIBE), priority)
            outbox.add(session, Queue.TRANSCRIBE, priority, message.encode())


def _relays() -> set[threading.Thread]:
    """The relays that run in this process, those of other tests among them."""
    return {thread for thread in threading.enumerate() if thread.name == "relay"}


def _unsent(db: Database) -> int:
    with db.reading() as session:
        query = sa.select(sa.func.count()).select_from(OutboxMessage).where(col(OutboxMessage.published_at).is_(None))
        return session.scalars(query).one()


def test_deliver_publishes_due_messages_once_most_urgent_first(db: Database) -> None:
    # Given three messages in the outbox
    _add(db, 1, 3, 2)
    broker = Recorder()
    relay = Relay(db, broker)
    # When the relay delivers twice
    counts = [relay.deliver(), relay.deliver()]
    # Then each went out once, by priority
    assert counts == [3, 0]
    assert [outgoing.priority for outgoing in broker.got] == [3, 2, 1]
    assert _unsent(db) == 0


def test_deliver_releases_messages_that_the_broker_does_not_take(db: Database) -> None:
    # Given a broker that goes away after the first of three messages
    _add(db, 2, 2, 2)
    broker = Recorder()
    broker.away_after = 1
    relay = Relay(db, broker)
    # When the relay delivers
    with pytest.raises(Unavailable):
        relay.deliver()
    # Then the rest is free at once for a relay that reaches a broker, and the first is not sent again
    assert _unsent(db) == 2
    broker.away_after = None
    assert relay.deliver() == 2
    assert len({outgoing.id for outgoing in broker.got}) == 3


def test_an_unreadable_message_does_not_hold_up_the_others(db: Database) -> None:
    # Given garbage before a message
    with db.transaction() as session:
        outbox.add(session, Queue.TRANSCRIBE, 3, b"garbage")
    _add(db, 2)
    broker = Recorder()
    # When the relay delivers
    Relay(db, broker).deliver()
    # Then the message went out, and nothing is left
    assert len(broker.got) == 1
    assert _unsent(db) == 0


def test_a_queue_that_is_refused_is_left_alone_for_a_while(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a broker that takes nothing for one queue, and more for that one than a relay takes at once, before another
    _add(db, *[3] * 60)
    with db.transaction() as session:
        outbox.add(session, Queue.DEFAULT, 1, messages.message_for(TaskRef(uuid4(), 1, -1, Stage.PREPARE), 1).encode())
    broker = Recorder()
    broker.refused = Queue.TRANSCRIBE
    relay = Relay(db, broker)
    # When the relay delivers twice
    counts = [relay.deliver(), relay.deliver()]
    # Then the other queue had its message
    assert counts == [0, 1]
    assert [outgoing.queue for outgoing in broker.got] == [Queue.DEFAULT]
    # And once that is over all goes out
    broker.refused = None
    assert relay.deliver() == 0
    later = time.monotonic() + 11
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert [relay.deliver(), relay.deliver()] == [50, 10]


def test_a_message_that_cannot_be_sent_is_put_aside(db: Database) -> None:
    # Given an urgent message at which sending itself goes wrong
    _add(db, 2, 3, 2)
    broker = Recorder()
    broker.broken_at = 3
    relay = Relay(db, broker)
    # When the relay delivers
    counts = [relay.deliver(), relay.deliver()]
    # Then the others go out, and it is kept for later
    assert counts == [2, 0]
    assert _unsent(db) == 1


def test_the_embedded_broker_needs_no_relay(db: Database) -> None:
    # Given the broker whose workers read the outbox themselves
    _add(db, 2)
    relay = Relay(db, EmbeddedBroker(Settings(), db, []))
    before = _relays()
    # When a relay is started for it
    relay.start()
    # Then it has no thread, and leaves the outbox alone
    assert _relays() <= before
    relay.stop()
    assert _unsent(db) == 1


def test_a_relay_without_a_broker_waits_and_stops_when_told(db: Database) -> None:
    # Given a broker that nobody serves, and a relay that leaves such a one alone for long
    _add(db, 2)
    broker = RabbitBroker(Settings(broker_url="amqp://127.0.0.1:1/"), [])
    relay = Relay(db, broker, first_pause=600.0)
    before = _relays()
    # When the relay has tried it, and waits
    relay.start()
    until(lambda: relay.turns.pause)
    # Then the message is still there, and the relay ends as soon as it is told, long before its pause does
    relay.stop(60)
    assert _relays() <= before
    assert _unsent(db) == 1
    broker.close()
