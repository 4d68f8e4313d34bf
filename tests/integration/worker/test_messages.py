"""Messages that are lost, strange or too new, and a broker that goes away."""

import json
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from uuid import UUID

import dramatiq
import pika
import pytest
import sqlalchemy as sa
from pika.exceptions import ChannelClosedByBroker
from sqlmodel import col

from octavia.brokers.queues import real_name
from octavia.jobs.protocol import messages, outbox
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, Queue, Stage
from rabbitmq.node import Node
from tests.integration.worker.commands import QUEUES
from tests.integration.worker.conftest import Service

rabbitmq_only = pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True)


@contextmanager
def _channel(service: Service) -> Iterator[Any]:
    connection = pika.BlockingConnection(pika.URLParameters(service.settings.broker_url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def _send(service: Service, *bodies: bytes, queue: Queue = Queue.TRANSCRIBE) -> None:
    """Put bytes where the workers of a queue get them."""
    if service.settings.embedded:
        with service.db.transaction() as session:
            for body in bodies:
                outbox.add(session, queue, 2, body)
        return
    with _channel(service) as channel:
        for body in bodies:
            channel.basic_publish("", real_name(service.settings.queue_prefix, queue), body)


def _depth(service: Service, suffix: str = "", queue: Queue = Queue.TRANSCRIBE) -> int:
    with _channel(service) as channel:
        name = real_name(service.settings.queue_prefix, queue) + suffix
        return int(channel.queue_declare(name, passive=True).method.message_count)


def _declared(service: Service, queue: Queue) -> bool:
    try:
        return _depth(service, queue=queue) >= 0
    except ChannelClosedByBroker:
        return False


def _unsent(service: Service) -> list[OutboxMessage]:
    with service.db.reading() as session:
        return list(session.scalars(sa.select(OutboxMessage).where(col(OutboxMessage.published_at).is_(None))))


def _message(actor: str = "transcribe", **changes: Any) -> bytes:
    kwargs = {"job_id": str(UUID(int=1)), "run": 1, "chunk": 0, "format": messages.MESSAGE_FORMAT}
    return dramatiq.Message("transcribe", actor, (), {**kwargs, **changes}, {"broker_priority": 2}).encode()


def _with(**fields: Any) -> bytes:
    """A message with other fields."""
    return json.dumps({**json.loads(_message()), **fields}).encode()


def _nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


NOT_OURS = [
    b"\x00garbage",
    b"",
    Random(0).randbytes(1000),
    b'{"hello": "world"}',
    b"[" * 50_000,
    b'"' + b"x" * 1_000_000 + b'"',
    _message(more="x" * 1_000_000),
    *[_message(more=_nested(levels)) for levels in (50, 900)],
    *[_with(**{name: _nested(40)}) for name in ("args", "options", "message_id", "message_timestamp")],
    *[_with(**{name: wrong}) for name in ("queue_name", "actor_name", "message_id") for wrong in (None, 5, [1], {})],
    *[_with(**{name: wrong}) for name in ("kwargs", "options") for wrong in (None, 5, [1], "text")],
    *[_with(args=wrong) for wrong in (None, 5)],
    *[_with(options={"eta": wrong}) for wrong in ("soon", 5, None)],
    *[_with(options={"broker_priority": wrong}) for wrong in ("high", -1, 1000, [1])],
    *[_with(options={"pipe_target": wrong}) for wrong in ("text", 5, [1], {}, {"actor_name": "assemble"})],
    *[_message(job_id=wrong) for wrong in ("1; drop table", None, 5, [1], {})],
    *[_message(**{name: wrong}) for name in ("run", "chunk") for wrong in ("1", None, 1.5, True, 2**40, [1])],
    *[_message(format=wrong) for wrong in ("1", None, 1.5, [1])],
]


@pytest.mark.parametrize("service", ["embedded sqlite", "rabbitmq postgresql"], indirect=True)
def test_foreign_messages_stop_no_worker(service: Service) -> None:
    # Given a running service that has worked already, so that its queues are there
    service.start(queues=QUEUES)
    service.until_ended(service.submit())
    service.until(lambda: service.settings.embedded or all(_declared(service, queue) for queue in QUEUES))
    # When all kinds of garbage are on every queue, and a job behind them
    for queue in QUEUES:
        # Nobody but Octavia writes into the outbox, and there a worker rests after each that it rejects.
        _send(service, *(NOT_OURS[:: 2 * len(QUEUES)] if service.settings.embedded else NOT_OURS), queue=queue)
    job_id = service.submit()
    # Then the job completes
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    # And the garbage lies with the dead letters, or, embedded, is done with
    if service.settings.embedded:
        service.until(lambda: not _unsent(service))
    else:
        service.until(lambda: [_depth(service, ".XQ", queue) for queue in QUEUES] == [len(NOT_OURS)] * len(QUEUES))
        assert [_depth(service, queue=queue) for queue in QUEUES] == [0] * len(QUEUES)


@pytest.mark.parametrize("body", [_message("sing"), _message(format=99)], ids=["unknown actor", "newer format"])
def test_a_message_for_a_newer_release_is_postponed(service: Service, body: bytes) -> None:
    # Given a running service
    service.start()
    service.until_ended(service.submit())
    # When a message comes that this release does not understand
    _send(service, body)
    # Then it waits in the outbox for about half a minute, as it was
    service.until(lambda: [row.not_before > row.created_at for row in _unsent(service)] == [True])
    (row,) = _unsent(service)
    assert 25 < (row.not_before - row.created_at).total_seconds() < 35
    assert row.queue is Queue.TRANSCRIBE
    sent, kept = messages.decode(body), messages.decode(row.message)
    assert (kept.queue_name, kept.actor_name, kept.kwargs) == (sent.queue_name, sent.actor_name, sent.kwargs)
    # And it is no dead letter
    assert service.settings.embedded or _depth(service, ".XQ") == 0


def test_a_message_that_comes_twice_is_worked_on_once(service: Service) -> None:
    # Given a job whose first message is in the outbox twice
    job_id = service.submit()
    ref = TaskRef(job_id, 1, WHOLE_JOB, Stage.PREPARE)
    with service.db.transaction() as session:
        outbox.add(session, Queue.DEFAULT, 2, messages.message_for(ref, 2).encode())
    # When it has been worked on, and nothing is left in the outbox
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    service.until(lambda: not _unsent(service))
    # Then there was one attempt
    assert len(service.attempts("prepare")) == 1


@rabbitmq_only
def test_a_lost_message_is_sent_again(service: Service) -> None:
    # Given a queued task whose message went out, and was lost by the broker
    service.set(repair_seconds=1)
    job_id = service.submit()
    with service.db.transaction() as session:
        moment = sa.func.now()
        session.execute(sa.update(OutboxMessage).values(published_at=moment))
        session.execute(sa.update(Task).values(published=1))
    # When a service starts
    service.start()
    # Then it notices and the job completes
    assert service.until_ended(job_id).status is JobStatus.COMPLETED


@rabbitmq_only
def test_the_broker_may_crash(service: Service, rabbitmq: Node) -> None:
    # Given a task in work
    service.start()
    first = service.submit("work in pieces")
    service.until(service.attempts)
    # When the broker crashes, and a job is submitted before it is back
    rabbitmq.kill()
    time.sleep(0.5)
    second = service.submit()
    rabbitmq.wait()
    # Then both complete, the first in its first attempt although its message is delivered again
    assert service.until_ended(second, 60).status is JobStatus.COMPLETED
    assert service.until_ended(first, 60).status is JobStatus.COMPLETED
    assert [attempt.number for attempt in service.attempts() if attempt.job_id == first] == [1]


@rabbitmq_only
def test_queues_are_declared_as_they_will_stay(service: Service, management_url: str) -> None:
    # Given a service that has started
    service.start(queues=QUEUES)
    service.until_ended(service.submit())
    prefix = service.settings.queue_prefix
    names = {
        f"{prefix}.{queue}.v1{suffix}" for queue in ("default", "transcribe", "maintenance") for suffix in ("", ".XQ")
    }

    def declared() -> dict[str, dict[str, Any]]:
        request = urllib.request.Request(f"{management_url}/api/queues/%2F")
        request.add_header("Authorization", "Basic " + b64encode(b"guest:guest").decode())
        with urllib.request.urlopen(request) as answer:
            return {queue["name"]: queue for queue in json.load(answer) if queue["name"].startswith(prefix)}

    # When every worker has come up and the broker is asked about its queues
    service.until(lambda: names <= declared().keys())
    queues = declared()
    # Then they are durable and versioned, have three priorities and dead letters, and there is no delay queue
    assert queues.keys() == names
    arguments = queues[f"{prefix}.transcribe.v1"]["arguments"]
    assert arguments["x-max-priority"] == 3
    assert arguments["x-dead-letter-routing-key"] == f"{prefix}.transcribe.v1.XQ"
    assert all(queue["durable"] for queue in queues.values())
