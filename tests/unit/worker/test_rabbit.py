import pika

from octavia.jobs.states import Queue
from octavia.queues import real_name
from octavia.settings import Settings
from octavia.worker.rabbit import RabbitBroker


def _parameters(url: str) -> list[pika.URLParameters]:
    parameters: list[pika.URLParameters] = RabbitBroker(Settings(broker_url=url), []).parameters
    return parameters


def test_queues_have_a_prefix_and_a_version() -> None:
    # Given the queue that settings and docs call transcribe
    # When it is looked up in the broker
    # Then its name says whose it is and of which version
    assert real_name("octavia", Queue.TRANSCRIBE) == "octavia.transcribe.v1"


def test_a_connection_notices_a_peer_that_vanished_or_blocks() -> None:
    # Given a URL that says nothing about it
    (parameters,) = _parameters("amqp://user:pass@example.org:5673/place")
    # Then there are limits, and the rest of the URL is as given
    assert (parameters.heartbeat, parameters.blocked_connection_timeout) == (30, 30)
    assert (parameters.host, parameters.port, parameters.virtual_host) == ("example.org", 5673, "place")


def test_the_operator_may_set_a_connections_limits() -> None:
    # Given a URL with a heartbeat of its own
    (parameters,) = _parameters("amqp://example.org/?heartbeat=5")
    # Then that one holds
    assert (parameters.heartbeat, parameters.blocked_connection_timeout) == (5, 30)


def test_several_brokers_are_tried_in_order() -> None:
    # Given the URLs of a cluster
    parameters = _parameters("amqp://one/;amqp://two/")
    # Then all are known
    assert [each.host for each in parameters] == ["one", "two"]
