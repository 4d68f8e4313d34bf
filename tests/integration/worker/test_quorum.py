"""Quorum queues: the promises of classic ones, urgent work on a queue of its own, and the way from one to the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pika
import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.brokers.dead_letter_queues import DeadLetterQueues
from octavia.brokers.queues import Names
from octavia.brokers.rabbit import RabbitBroker
from octavia.jobs.tables.rows import Artifact
from octavia.jobs.tables.states import JobStatus, Priority, Queue
from rabbitmq.node import Node
from tests.integration.worker.conftest import Service

pytestmark = pytest.mark.parametrize("service", ["rabbitmq sqlite"], indirect=True)


@pytest.fixture
def quorum(service: Service) -> Service:
    """A deployment over quorum queues."""
    service.set(queue_type="quorum")
    return service


@contextmanager
def _channel(service: Service) -> Iterator[Any]:
    with pika.BlockingConnection(pika.URLParameters(service.settings.broker_url)) as connection:
        yield connection.channel()


def _depth(service: Service, name: str) -> int:
    with _channel(service) as channel:
        return int(channel.queue_declare(name, passive=True).method.message_count)


def _names(service: Service) -> Names:
    return Names(service.settings.queue_prefix, service.settings.queue_type)


def _transcripts(service: Service, job_id: UUID) -> int:
    with service.db.reading() as session:
        count = sa.select(sa.func.count()).select_from(Artifact)
        return session.scalar(count.where(col(Artifact.job_id) == job_id, col(Artifact.name) == "transcript.txt"))


def test_queues_are_declared_as_they_will_stay(quorum: Service, rabbitmq: Node) -> None:
    # Given a service over quorum queues
    quorum.start()
    job = quorum.until_ended(quorum.submit(chunks=3))
    # Then jobs go through
    assert job.status is JobStatus.COMPLETED
    assert sorted(attempt.chunk for attempt in quorum.attempts()) == [0, 1, 2]
    # And work, urgent work and dead letters have replicated queues of their own names
    main = f"{quorum.settings.queue_prefix}.transcribe.v1q"
    declared = {queue["name"]: queue["arguments"] for queue in rabbitmq.ask("queues/%2F")}
    work = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": f"{main}.XQ",
    }
    assert declared[main] == declared[f"{main}.high"] == work
    assert declared[f"{main}.XQ"]["x-queue-type"] == "quorum"
    assert declared[f"{main}.XQ"]["x-message-ttl"] == 7 * 24 * 3600 * 1000
    assert not [name for name in declared if name.startswith(quorum.settings.queue_prefix) and ".v1q" not in name]


def test_urgent_jobs_go_first_over_quorum_queues(quorum: Service) -> None:
    # Given one worker that is busy, and jobs behind what it does
    quorum.start()
    first = quorum.submit("wait for the gate")
    quorum.until(quorum.attempts)
    usual = [quorum.submit() for _ in range(3)]
    names = _names(quorum)
    quorum.until(lambda: _depth(quorum, names.main(Queue.TRANSCRIBE)) == 3)
    # When an urgent one comes
    urgent = quorum.submit(priority=Priority.HIGH)
    # Then it waits with the others, none of them in the worker's hand
    quorum.until(lambda: _depth(quorum, names.of(Queue.TRANSCRIBE, Priority.HIGH.level)) == 1)
    assert _depth(quorum, names.main(Queue.TRANSCRIBE)) == 3
    # And is worked on before them
    quorum.gate.touch()
    for job_id in (first, urgent, *usual):
        assert quorum.until_ended(job_id).status is JobStatus.COMPLETED
    assert [attempt.job_id for attempt in quorum.attempts()] == [first, urgent, *usual]


def test_jobs_that_reach_an_idle_worker_at_once_are_all_done(quorum: Service) -> None:
    # Given idle workers, that have subscribed to both queues
    quorum.start(slots=2)
    quorum.until_ended(quorum.submit())
    # When urgent and usual jobs come in bursts
    jobs = []
    for _ in range(5):
        burst = [quorum.submit(priority=priority) for priority in (Priority.HIGH, Priority.NORMAL, Priority.LOW)]
        quorum.until(lambda burst=burst: all(quorum.job(job).status.ended for job in burst))
        jobs += burst
    # Then each is completed, with one attempt at each of its tasks, and nothing is left on a queue
    assert {quorum.job(job).status for job in jobs} == {JobStatus.COMPLETED}
    assert len(quorum.attempts()) == len(jobs) + 1
    names = _names(quorum)
    quorum.until(lambda: not any(_depth(quorum, name) for name in names.all(Queue.TRANSCRIBE)))
    assert sum(DeadLetterQueues(quorum.settings).counts().values()) == 0


def test_a_message_that_nobody_acknowledges_does_not_go_round_for_ever(quorum: Service) -> None:
    # Given a message on a work queue
    broker = RabbitBroker(quorum.settings, [])
    name = broker.names.main(Queue.TRANSCRIBE)
    broker.declare_queue(name, ensure=True)
    broker.channel.basic_publish("", name, b"poison", mandatory=True)
    broker.close()
    # When each worker that takes it dies
    with _channel(quorum) as channel:
        given = 0
        while (found := channel.basic_get(name))[0] is not None:
            given += 1
            channel.basic_nack(found[0].delivery_tag, requeue=True)
            assert given < 30
    # Then after the first time and 20 more it is a dead letter
    assert given == 21
    queues = DeadLetterQueues(quorum.settings)
    quorum.until(lambda: sum(queues.counts().values()) == 1)
    (letter,) = queues.look(queues.counts(), 10)
    assert (letter.reason, letter.body) == ("delivery_limit", b"poison")


@pytest.mark.parametrize(
    ("old", "new"), [("classic", "quorum"), pytest.param("quorum", "classic", marks=pytest.mark.long)]
)
def test_a_deployment_moves_from_one_type_to_the_other(service: Service, old: str, new: str) -> None:
    # Given a service of one type, with a task in hand and jobs of all priorities waiting on its queues
    service.set(queue_type=old, repair_seconds=2)
    service.start()
    jobs = [service.submit("wait for the gate", "succeed")]
    service.until(service.attempts)
    jobs += [service.submit(priority=priority) for priority in Priority for _ in range(3)]
    queues = _names(service).all(Queue.TRANSCRIBE)
    service.until(lambda: sum(_depth(service, name) for name in queues) == len(jobs) - 1)
    # When its workers are stopped, and started with the other
    service.stop()
    assert sum(_depth(service, name) for name in queues) > 0
    service.set(queue_type=new)
    service.start()
    # Then within the time that repair takes, everything is done
    for job in jobs:
        assert service.until_ended(job, 60).status is JobStatus.COMPLETED
    done = len(service.attempts())
    # And when a worker reads again what was left behind, then nothing is done twice
    service.stop()
    service.set(queue_type=old, repair_seconds=3600)
    service.start()
    names = _names(service)
    left = [name for queue in (Queue.DEFAULT, Queue.TRANSCRIBE) for name in names.all(queue)]
    service.until(lambda: not any(_depth(service, name) for name in left))
    service.until_ended(service.submit())
    assert len(service.attempts()) == done + 1
    assert {_transcripts(service, job) for job in jobs} == {1}
