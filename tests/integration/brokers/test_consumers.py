"""Consumers over a real RabbitMQ, in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import pika
import pytest
from dramatiq.errors import ConnectionClosed

from octavia.brokers.consumers import QueueConsumer
from octavia.brokers.dead_letter_queues import DeadLetterQueues
from octavia.brokers.rabbit import RabbitBroker
from octavia.jobs.protocol.messages import message_for
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import Queue, Stage
from octavia.settings import Settings
from tests.support.waiting import until

_MESSAGE = message_for(TaskRef(UUID(int=7), 1, 0, Stage.TRANSCRIBE), 2)
OURS = _MESSAGE.encode()


@pytest.fixture(params=["classic", "quorum"])
def settings(request: pytest.FixtureRequest, rabbitmq_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        broker_url=rabbitmq_url,
        queue_type=request.param,
        queue_prefix=f"test-{uuid4().hex[:12]}",
    )


@pytest.fixture
def broker(settings: Settings) -> Iterator[RabbitBroker]:
    broker = RabbitBroker(settings, [])
    yield broker
    for queue in (*broker.names.all(Queue.TRANSCRIBE), broker.names.dead(Queue.TRANSCRIBE)):
        delete(broker, queue)
    broker.close()


@contextmanager
def consuming(broker: RabbitBroker) -> Iterator[QueueConsumer]:
    consumer = broker.consume(broker.names.main(Queue.TRANSCRIBE), timeout=200)
    assert isinstance(consumer, QueueConsumer)
    try:
        yield consumer
    finally:
        # A channel that RabbitMQ closed cannot be closed again, as Dramatiq knows; the connection can.
        with suppress(ConnectionClosed):
            consumer.close()
        if consumer.connection.is_open:
            consumer.connection.close()


def delete(broker: RabbitBroker, queue: str) -> None:
    with pika.BlockingConnection(broker.parameters) as connection:
        connection.channel().queue_delete(queue)


def send(broker: RabbitBroker, body: bytes) -> None:
    broker.channel.basic_publish("", broker.names.main(Queue.TRANSCRIBE), body)


def waiting(broker: RabbitBroker) -> int:
    name = broker.names.main(Queue.TRANSCRIBE)
    return int(broker.channel.queue_declare(name, passive=True).method.message_count)


def letters(settings: Settings) -> dict[bytes, str]:
    """The dead letters by their body, with the reason that each gives."""
    queues = DeadLetterQueues(settings)
    return {letter.body: letter.reason for letter in queues.look(queues.counts(Queue.TRANSCRIBE), 10)}


def test_an_acknowledged_message_is_gone(broker: RabbitBroker) -> None:
    with consuming(broker) as consumer:
        # Given a message, which is delivered with the queue that it came from
        send(broker, OURS)
        message = next(filter(None, consumer))
        assert message.source is Queue.TRANSCRIBE
        # When it is acknowledged
        consumer.ack(message)
        assert next(consumer) is None
    # Then nothing is left
    assert waiting(broker) == 0


def test_garbage_goes_to_the_dead_letters(settings: Settings, broker: RabbitBroker) -> None:
    with consuming(broker) as consumer:
        # Given bytes that are no message, before one that is
        send(broker, b"\x00garbage")
        send(broker, OURS)
        # When both are consumed, then only the message is delivered
        assert next(filter(None, consumer)).message_id == _MESSAGE.message_id
    # And the bytes lie with the dead letters
    until(lambda: letters(settings) == {b"\x00garbage": "not a message of ours"})


def test_a_rejected_message_tells_why(settings: Settings, broker: RabbitBroker) -> None:
    with consuming(broker) as consumer:
        # Given a delivered message that an actor could not take
        send(broker, OURS)
        message = next(filter(None, consumer))
        message.stuff_exception(ValueError("names no task"))
        # When the worker rejects it
        consumer.nack(message)
        assert next(consumer) is None
    # Then it lies with the dead letters with that reason, and nobody gets it again
    until(lambda: list(letters(settings).values()) == ["names no task"])
    assert waiting(broker) == 0


def test_a_message_of_an_earlier_connection_is_delivered_again(broker: RabbitBroker) -> None:
    # Given a message that was delivered over a connection that is gone
    with consuming(broker) as former:
        send(broker, OURS)
        message = next(filter(None, former))
    with consuming(broker) as consumer:
        # When the consumer in its place is told to acknowledge and to reject it
        consumer.ack(message)
        consumer.nack(message)
        # Then nothing is acknowledged by a number that means another message now: it comes again
        assert next(filter(None, consumer)).message_id == _MESSAGE.message_id


def test_a_deleted_queue_is_declared_again(broker: RabbitBroker) -> None:
    with consuming(broker) as consumer:
        # Given a consumer that waits for messages
        assert next(consumer) is None
        # When an operator deletes its queue, then the consumer ends, so that the worker makes another
        delete(broker, broker.names.main(Queue.TRANSCRIBE))
        with pytest.raises((ConnectionClosed, StopIteration)):
            until(lambda: next(consumer) is not None)
    # And one of those that follow declares the queue, and gets what is sent from then on
    until(lambda: delivered(broker))


def delivered(broker: RabbitBroker) -> bool:
    """Consume once; returns whether a message that was sent meanwhile arrived."""
    with consuming(broker) as consumer:
        send(broker, OURS)
        try:
            return next(consumer) is not None
        except ConnectionClosed:
            return False


def test_garbage_waits_for_dead_letters_that_are_gone(settings: Settings, broker: RabbitBroker) -> None:
    with consuming(broker) as consumer:
        # Given a queue whose dead letters an operator has deleted
        delete(broker, broker.names.dead(Queue.TRANSCRIBE))
        # When garbage comes, then it is not dropped: the consumer ends
        send(broker, b"\x00garbage")
        with pytest.raises(ConnectionClosed):
            until(lambda: next(consumer) is not None)
    # And the next one declares them again, and puts it there
    with consuming(broker) as consumer:
        assert next(consumer) is None
    until(lambda: list(letters(settings)) == [b"\x00garbage"])
