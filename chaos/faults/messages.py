"""Messages: repeated, out of order, and garbage."""

import json
import threading
from contextlib import suppress
from random import Random
from typing import Any

import pika
import pika.exceptions
import sqlalchemy as sa
from sqlmodel import col

from chaos.broker import broker_channel, waiting, work_queues
from chaos.deployment import Deployment
from chaos.faults.fault import Struck, whole_at_once
from octavia.brokers.queues import dead_letters_of, real_name
from octavia.jobs.protocol.messages import decode, message_for
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import Stage, TaskStatus, queue_of

_COPIES = 3
_MOST = 10
_DURABLE = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value)


def repeat_messages(deployment: Deployment, random: Random) -> Struck:
    """Send messages of tasks that are done, each three times at once."""
    done = deployment.patiently(lambda: _tasks(deployment, TaskStatus.COMPLETED))
    chosen = random.sample(done, min(len(done), _MOST))
    with broker_channel(deployment.node.url) as channel:
        for ref in chosen * _COPIES:
            _publish(deployment, channel, ref)
    return Struck(f"{len(chosen)} x {_COPIES} messages", whole_at_once)


def shuffle_messages(deployment: Deployment, random: Random) -> Struck:
    """Reverse the messages that wait on the queues, and send some for tasks whose turn has not come."""
    turned = 0
    with broker_channel(deployment.node.url) as channel:
        for name in work_queues(deployment.settings):
            # One that was deleted a moment ago is missing until somebody declares it again.
            if waiting(deployment.node.url, name):
                turned += _turn_around(channel, name)
        early = deployment.patiently(
            lambda: _tasks(deployment, TaskStatus.WAITING, TaskStatus.QUEUED, TaskStatus.RUNNING)
        )
        early.sort(key=lambda ref: list(Stage).index(ref.stage), reverse=True)
        for ref in early[:_MOST]:
            _publish(deployment, channel, ref)
    return Struck(f"{turned} turned around, {len(early[:_MOST])} early", whole_at_once)


class Garbage:
    """Bytes that are no messages of Octavia's: exactly these must be among the dead letters at the end.

    Attributes:
      sent: Everything that has arrived at a queue.
    """

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self._lock = threading.Lock()

    def strike(self, deployment: Deployment, random: Random) -> Struck:
        """Send some to every queue that holds work for jobs."""
        names = [real_name(deployment.settings.queue_prefix, queue_of(stage)) for stage in Stage]
        bodies = [self._body(random, number) for number in range(len(names))]
        arrived: list[bytes] = []
        with broker_channel(deployment.node.url) as channel:
            for name, body in zip(names, bodies, strict=True):
                # A queue that was deleted a moment ago takes nothing until somebody declares it again.
                with suppress(pika.exceptions.UnroutableError):
                    channel.basic_publish("", name, body, _DURABLE, mandatory=True)
                    arrived.append(body)
        with self._lock:
            self.sent += arrived
            total = len(self.sent)
        return Struck(f"{len(arrived)} messages", lambda: self._dead(deployment) >= total)

    @staticmethod
    def _body(random: Random, number: int) -> bytes:
        mark = f"{random.getrandbits(64):x}"
        message: dict[str, Any] = {
            "queue_name": "transcribe",
            "actor_name": "transcribe",
            "args": [],
            "kwargs": {},
            "options": {},
            "message_id": mark,
            "message_timestamp": 0,
        }
        kinds = (
            b"\x00\xff" + mark.encode(),
            b'{"half": "' + mark.encode(),
            json.dumps([mark]).encode(),
            json.dumps(message).encode(),
            json.dumps({**message, "kwargs": {"job_id": mark, "run": "x", "chunk": None}}).encode(),
            json.dumps({**message, "options": {"eta": 1}}).encode(),
        )
        return kinds[number % len(kinds)]

    @staticmethod
    def _dead(deployment: Deployment) -> int:
        names = map(dead_letters_of, work_queues(deployment.settings))
        return sum(waiting(deployment.node.url, name) for name in names)


def _tasks(deployment: Deployment, *statuses: TaskStatus) -> list[TaskRef]:
    with deployment.database.reading() as session:
        rows = session.scalars(sa.select(Task).where(col(Task.status).in_(statuses)).order_by(col(Task.id))).all()
        return [TaskRef(row.job_id, row.run, row.chunk, row.stage) for row in rows]


def _publish(deployment: Deployment, channel: Any, ref: TaskRef) -> None:
    name = real_name(deployment.settings.queue_prefix, queue_of(ref.stage))
    channel.basic_publish("", name, message_for(ref, 2).copy(queue_name=name).encode(), _DURABLE)


def _turn_around(channel: Any, name: str) -> int:
    """Put messages that wait back in the opposite order; each is acknowledged only when it is there again."""
    taken = []
    for _ in range(_MOST):
        method, properties, body = channel.basic_get(name)
        if method is None:
            break
        taken.append((method.delivery_tag, properties, body))
    for tag, properties, body in reversed(taken):
        assert decode(body), "only messages of ours wait while this fault is alone"
        channel.basic_publish("", name, body, properties)
        channel.basic_ack(tag)
    return len(taken)
