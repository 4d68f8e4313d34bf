import socket
from collections.abc import Callable, Iterator
from uuid import uuid4

import pika
import pytest
from dramatiq.errors import ConnectionClosed

from octavia.brokers.queues import Names, decoded, real_name
from octavia.brokers.rabbit import RabbitBroker
from octavia.errors import Unavailable
from octavia.jobs.protocol.messages import message_for
from octavia.jobs.tables.records import Outgoing, TaskRef
from octavia.jobs.tables.states import Priority, Queue, Stage
from octavia.settings import Settings


@pytest.fixture
def silent() -> Iterator[RabbitBroker]:
    """A broker at a port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://127.0.0.1:{server.getsockname()[1]}/?stack_timeout=0.2"
        yield RabbitBroker(Settings(broker_url=url), [])


def _parameters(url: str) -> list[pika.URLParameters]:
    parameters: list[pika.URLParameters] = RabbitBroker(Settings(broker_url=url), []).parameters
    return parameters


def test_queues_have_a_prefix_and_a_version() -> None:
    # Given the queue that settings and docs call transcribe
    # When it is looked up in the broker
    # Then its name says whose it is and of which version
    assert real_name("octavia", Queue.TRANSCRIBE) == "octavia.transcribe.v1"


def test_quorum_queues_have_names_of_their_own() -> None:
    # Given a deployment with quorum queues
    names = Names("octavia", "quorum")
    # Then none of its queues is called like a classic one, and what is urgent has a queue that is read first
    assert names.all(Queue.TRANSCRIBE) == ("octavia.transcribe.v1q.high", "octavia.transcribe.v1q")
    assert [names.of(Queue.TRANSCRIBE, priority.level) for priority in Priority] == [
        "octavia.transcribe.v1q",
        "octavia.transcribe.v1q",
        "octavia.transcribe.v1q.high",
    ]
    # And both have their dead letters in one place
    assert names.dead(Queue.TRANSCRIBE) == "octavia.transcribe.v1q.XQ"
    # And classic queues need but one
    classic = Names("octavia", "classic")
    assert {classic.of(Queue.TRANSCRIBE, priority.level) for priority in Priority} == {"octavia.transcribe.v1"}
    assert classic.dead(Queue.TRANSCRIBE) == "octavia.transcribe.v1.XQ"


def test_a_worker_asks_for_its_queues_once() -> None:
    # Given workers over quorum queues, when they choose what to take, then the urgent queues come with the usual ones
    broker = RabbitBroker(Settings(broker_url="amqp://one/", queue_type="quorum", queue_prefix="octavia"), [])
    assert broker.serve([Queue.TRANSCRIBE]) == {"octavia.transcribe.v1q"}
    assert broker.logical["octavia.transcribe.v1q.high"] is Queue.TRANSCRIBE


@pytest.mark.parametrize(
    ("level", "ours"), [(None, True), (3, True), (255, True), (256, False), ("3", False), (True, False)]
)
def test_a_priority_is_one_that_can_be_sent(level: object, ours: bool) -> None:
    message = message_for(TaskRef(uuid4(), 1, 0, Stage.TRANSCRIBE), 2)
    body = message.copy(options={"broker_priority": level}).encode()
    assert (decoded(body) is not None) is ours


def test_a_connection_notices_a_peer_that_vanished_or_blocks() -> None:
    # Given a URL that says nothing about it
    (parameters,) = _parameters("amqp://user:pass@example.org:5673/place")
    # Then there are limits, and the rest of the URL is as given
    assert (parameters.heartbeat, parameters.blocked_connection_timeout) == (30, 5)
    assert (parameters.host, parameters.port, parameters.virtual_host) == ("example.org", 5673, "place")


def test_the_operator_may_set_a_connections_limits() -> None:
    # Given a URL with a heartbeat of its own
    (parameters,) = _parameters("amqp://example.org/?heartbeat=5")
    # Then that one holds
    assert (parameters.heartbeat, parameters.blocked_connection_timeout) == (5, 5)


def test_several_brokers_are_tried_in_order() -> None:
    # Given the URLs of a cluster
    parameters = _parameters("amqp://one/;amqp://two/")
    # Then all are known
    assert [each.host for each in parameters] == ["one", "two"]


@pytest.mark.parametrize(
    "act",
    [
        lambda broker: broker.check(),
        lambda broker: broker.is_empty(Queue.TRANSCRIBE),
        lambda broker: broker.publish(_outgoing()),
    ],
    ids=["check", "is_empty", "publish"],
)
def test_a_broker_that_stays_silent_is_unavailable(silent: RabbitBroker, act: Callable[[RabbitBroker], None]) -> None:
    with pytest.raises(Unavailable) as caught:
        act(silent)
    assert caught.value.code == "broker_unavailable"


def test_a_worker_connects_again_to_a_broker_that_stays_silent(silent: RabbitBroker) -> None:
    # Given such a broker, when a worker consumes, then Dramatiq hears of a lost connection, which it knows to mend
    with pytest.raises(ConnectionClosed):
        silent.consume(real_name("octavia", Queue.TRANSCRIBE))


def _outgoing() -> Outgoing:
    return Outgoing(1, Queue.TRANSCRIBE, 2, message_for(TaskRef(uuid4(), 1, 0, Stage.TRANSCRIBE), 2).encode())
