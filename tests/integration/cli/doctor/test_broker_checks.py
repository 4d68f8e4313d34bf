"""What ``octavia doctor`` finds in a real RabbitMQ."""

from uuid import uuid4

import pytest

from octavia.brokers.queues import Names, QueueType
from octavia.brokers.rabbit import RabbitBroker
from octavia.cli.doctor.broker_checks import broker, needed_consumer_timeout
from octavia.cli.doctor.findings import Finding, Verdict
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings


@pytest.fixture
def settings(rabbitmq_url: str) -> Settings:
    """Those of a deployment that nobody has used yet, with a second URL where nobody answers."""
    return Settings(broker_url=f"amqp://127.0.0.1:1/;{rabbitmq_url}", queue_prefix=f"test-{uuid4().hex[:12]}")


def _declare(settings: Settings) -> RabbitBroker:
    broker = RabbitBroker(settings, [])
    for queue in Queue:
        for name in broker.names.all(queue):
            broker.declare_queue(name, ensure=True)
    return broker


def _found(settings: Settings, subject: str) -> list[Finding]:
    return [finding for finding in broker(settings) if finding.subject == subject]


def test_nothing_is_made_by_looking(settings: Settings) -> None:
    # Given a broker that knows nothing of the deployment
    for _ in range(2):
        # When the doctor looks, then it says so, and that one of two nodes is away, which does not stop the work
        away, there = _found(settings, "broker")
        assert (away.verdict, there.verdict) == (Verdict.NOTE, Verdict.GOOD)
        (queues,) = _found(settings, "queues")
        assert queues.verdict is Verdict.NOTE
        assert "not declared yet: default, transcribe" in queues.detail
        (dead,) = _found(settings, "dead letters")
        assert (dead.verdict, dead.detail) == (Verdict.GOOD, "none")


def test_the_running_consumer_timeout_is_compared_with_the_settings(settings: Settings) -> None:
    # Given a private node with the project's configuration
    (timeout,) = _found(settings, "consumer timeout")
    assert timeout.verdict is Verdict.GOOD, timeout
    assert timeout.detail.startswith("518400000 ms")
    # When tasks may take longer than it waits, then the doctor says what it needs
    long = settings.model_copy(update={"hard_limit_seconds": 600_000.0})
    (timeout,) = _found(long, "consumer timeout")
    assert timeout.verdict is Verdict.NOTE
    assert f"consumer_timeout = {needed_consumer_timeout(long)}" in timeout.remedy


@pytest.mark.parametrize(("in_force", "left"), [("classic", "quorum"), ("quorum", "classic")])
def test_queues_of_both_types_are_looked_at(settings: Settings, in_force: QueueType, left: QueueType) -> None:
    # Given a deployment that has moved from one type to the other, and left a message and a dead letter behind
    settings = settings.model_copy(update={"queue_type": in_force})
    _declare(settings).close()
    old = _declare(settings.model_copy(update={"queue_type": left}))
    names = Names(settings.queue_prefix, left)
    for name in (names.all(Queue.TRANSLATE)[0], names.dead(Queue.DEFAULT)):
        old.channel.basic_publish("", name, b"x", mandatory=True)
    old.close()
    # When the doctor looks
    now, before = _found(settings, "queues")
    (dead,) = _found(settings, "dead letters")
    # Then it says which type is in force, and what that means for what is urgent
    assert (now.verdict, now.detail.partition(",")[0]) == (Verdict.GOOD, in_force)
    assert "RabbitMQ 3." in now.detail
    assert ("high is a queue of its own" in now.detail) == (in_force == "quorum")
    # And that the other still holds something, and where dead letters lie
    assert before.verdict is Verdict.NOTE
    assert f"{names.all(Queue.TRANSLATE)[0]} 1" in before.detail
    assert (dead.verdict, dead.detail) == (Verdict.NOTE, f"{names.dead(Queue.DEFAULT)} 1")
    assert "octavia dead-letters list" in dead.remedy
