"""Several relays on one outbox, and messages that cannot be published: everything else goes out, once."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import pika
import pytest

from octavia.brokers.queues import real_name
from octavia.brokers.rabbit import RabbitBroker
from octavia.brokers.relay import Relay
from octavia.jobs.protocol import messages, outbox
from octavia.jobs.protocol.claims import NotClaimable
from octavia.jobs.protocol.messages import decode, ref_of
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Claim, TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, JobType, Queue, Stage
from octavia.settings import Settings
from tests.integration.jobs.steps import Steps, at_once
from tests.support.waiting import until

_JOBS = 200


@pytest.fixture
def settings(rabbitmq_url: str) -> Settings:
    return Settings(broker_url=rabbitmq_url, queue_prefix=f"relays-{uuid4().hex[:12]}")


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with closing(Database(postgres_url)) as database:
        yield database


@pytest.fixture
def steps(database: Database) -> Steps:
    return Steps(database)


@contextmanager
def _relay(url: str, settings: Settings) -> Iterator[Relay]:
    """A relay as in a process of its own: with its own connections."""
    with closing(Database(url)) as db, closing(RabbitBroker(settings, [])) as broker:
        relay = Relay(db, broker)
        relay.start()
        try:
            yield relay
        finally:
            relay.stop()


@contextmanager
def _channel(settings: Settings) -> Iterator[Any]:
    with pika.BlockingConnection(pika.URLParameters(settings.broker_url)) as connection:
        yield connection.channel()


def _received(settings: Settings, queue: Queue) -> list[TaskRef]:
    found = []
    with _channel(settings) as channel:
        name = real_name(settings.queue_prefix, queue)
        while (got := channel.basic_get(name, auto_ack=True))[0] is not None:
            found.append(ref_of(decode(got[2])))
    return found


def test_two_relays_and_a_dead_one_send_everything(steps: Steps, settings: Settings, postgres_url: str) -> None:
    # Given some hundreds of jobs and as many idle workers, and a relay that published some of the first messages and
    # died before it said so
    for number in range(_JOBS):
        workers.mark_seen(steps.db, f"worker-{number}", "host", 1, [Queue.DEFAULT], None, 1)
    jobs = [steps.submit(JobType.TRANSCRIBE).id for _ in range(_JOBS)]
    published = 20
    with closing(RabbitBroker(settings, [])) as broker:
        for row in outbox.lease(steps.db, limit=50, seconds=0.5)[:published]:
            broker.publish(row)
    # When two others work at once
    with _relay(postgres_url, settings), _relay(postgres_url, settings):
        until(lambda: steps.unsent() == [], 60)
    # Then every message went out, and only those of the dead one twice
    received = _received(settings, Queue.DEFAULT)
    counts = Counter(ref.job_id for ref in received)
    assert counts.keys() == set(jobs)
    assert Counter(counts.values()) == {1: _JOBS - published, 2: published}
    # And of two workers that take turns each task is had once
    halves = received[::2], received[1::2]

    def claim_all(half: list[TaskRef]) -> list[Claim]:
        had = []
        for ref in half:
            try:
                had.append(steps.claim(ref, threading.current_thread().name))
            except NotClaimable:
                continue
        return had

    claimed = at_once(*[lambda half=half: claim_all(half) for half in halves])
    assert Counter(claim.ref.job_id for half in claimed for claim in half) == Counter(jobs)


def test_a_queue_that_refuses_its_messages_holds_up_no_other(
    steps: Steps, settings: Settings, postgres_url: str
) -> None:
    # Given a queue that somebody has declared in another way, and urgent messages for it before one for another queue
    name = real_name(settings.queue_prefix, Queue.TRANSCRIBE)
    with _channel(settings) as channel:
        channel.queue_declare(name, durable=True, arguments={"x-max-priority": 5})
    with steps.db.transaction() as session:
        for number in range(60):
            message = messages.message_for(TaskRef(uuid4(), 1, number, Stage.TRANSCRIBE), 3)
            outbox.add(session, Queue.TRANSCRIBE, 3, message.encode())
    job = steps.submit()
    # When a relay works
    with _relay(postgres_url, settings) as relay:
        # Then the other queue's message goes out
        first = TaskRef(job.id, 1, WHOLE_JOB, Stage.PREPARE)
        until(lambda: first not in steps.unsent())
        assert len(steps.unsent()) == 60
        # And once the queue is as it should be the rest follows
        with _channel(settings) as channel:
            channel.queue_delete(name)
        relay._refused.clear()
        until(lambda: steps.unsent() == [])
    assert len(_received(settings, Queue.TRANSCRIBE)) == 60


def test_a_message_that_cannot_be_published_holds_up_no_other(
    steps: Steps, settings: Settings, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an urgent message at which publishing itself goes wrong, before that of a job
    with steps.db.transaction() as session:
        message = messages.message_for(TaskRef(uuid4(), 1, 0, Stage.TRANSCRIBE), 3)
        outbox.add(session, Queue.TRANSCRIBE, 10_000, message.encode())
    steps.submit()
    # When a relay works
    with _relay(postgres_url, settings):
        # Then the job's goes out, and the other one is kept for later
        until(lambda: [ref.stage for ref in steps.unsent()] == [Stage.TRANSCRIBE])
        (row,) = [row for row in steps.outbox() if row.published_at is None]
        until(lambda: steps.outbox()[0].not_before > row.created_at)
    assert [ref.stage for ref in _received(settings, Queue.DEFAULT)] == [Stage.PREPARE]
