"""A cluster of three nodes on this machine, each of which goes down in turn while jobs are worked on."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.brokers.queues import Names
from octavia.brokers.rabbit import RabbitBroker
from octavia.errors import Unavailable
from octavia.jobs.protocol import messages
from octavia.jobs.tables.records import Outgoing, TaskRef
from octavia.jobs.tables.rows import Artifact, Task
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, Priority, Queue, Stage
from octavia.settings import Settings
from rabbitmq.cluster import Cluster
from rabbitmq.node import Node
from tests.integration.worker.conftest import Service

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True),
]

_PRIORITIES = tuple(Priority)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(folder, output=folder / "log")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop(grace=0)


@pytest.fixture
def spread(service: Service, cluster: Cluster) -> Service:
    """A deployment over that cluster, its queues on every node."""
    service.set(broker_url=cluster.url, queue_type="quorum")
    return service


class Load:
    """Jobs, one after the other, of all priorities and one or two chunks."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._numbers = count()
        self.jobs: list[UUID] = []

    def keep_up(self, waiting: int = 6) -> None:
        """Submit until so many are not done."""
        open_ = sum(not self._service.job(job).status.ended for job in self.jobs[-3 * waiting :])
        for _ in range(waiting - open_):
            number = next(self._numbers)
            priority = _PRIORITIES[number % len(_PRIORITIES)]
            self.jobs.append(self._service.submit("take a moment", chunks=1 + number % 2, priority=priority))

    def done(self) -> int:
        return sum(self._service.job(job).status.ended for job in self.jobs)


def test_each_node_may_go_down_in_turn(spread: Service, cluster: Cluster) -> None:
    # Given a service over a cluster, and jobs without end
    spread.start(slots=2)
    load = Load(spread)
    load.keep_up()
    spread.until(lambda: load.done() >= 2, 60)
    members = {
        queue["name"]: len(queue["members"])
        for queue in cluster.nodes[0].ask("queues/%2F")
        if queue["name"].startswith(spread.settings.queue_prefix)
    }
    assert set(members.values()) == {3}, members
    killed: set[int] = set()
    for number, node in enumerate(cluster.nodes):
        # When a node is killed
        node.kill()
        began, before = time.monotonic(), load.done()
        # And, while it is down, a worker at work too, by SIGKILL
        if number == 1:
            begun = len(spread.attempts())
            load.keep_up()
            spread.until(lambda begun=begun: len(spread.attempts()) > begun, 60)
            worker = spread.attempts()[-1].pid
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)

        # Then jobs are accepted and completed meanwhile

        def goes_on(before: int = before) -> bool:
            load.keep_up()
            return load.done() >= before + 8

        spread.until(goes_on, 120)
        print(f"\nnode {number + 1} down: 8 jobs done within {time.monotonic() - began:.1f} s")
        # And the node comes back to the others
        _return(spread, cluster, node)
        print(f"node {number + 1} back after {time.monotonic() - began:.1f} s")
    for job in load.jobs:
        assert spread.until_ended(job, 120).status is JobStatus.COMPLETED
    # And each effect is there once: one completed task a chunk, one file of each, and no work that another did too
    with spread.db.reading() as session:
        tasks = session.scalars(sa.select(Task).where(col(Task.job_id).in_(load.jobs))).all()
        artifacts = session.scalars(sa.select(Artifact).where(col(Artifact.job_id).in_(load.jobs))).all()
    assert {task.status.value for task in tasks} == {"completed"}
    assert len({(file.job_id, file.chunk, file.name) for file in artifacts}) == len(artifacts)
    repeated = Counter((attempt.job_id, attempt.chunk) for attempt in spread.attempts())
    again = {task for task, times in repeated.items() if times > 1}
    assert again <= {(attempt.job_id, attempt.chunk) for attempt in spread.attempts() if attempt.pid in killed}
    print(f"{len(load.jobs)} jobs, {len(spread.attempts())} chunks, {len(again)} of them begun twice")


def test_a_relay_and_a_worker_move_to_the_next_node(spread: Service, cluster: Cluster) -> None:
    # Given a broker whose first URL leads to a node that is down
    first = cluster.nodes[0]
    first.kill()
    # When a service starts, then it works over the others
    spread.start()
    assert spread.until_ended(spread.submit(), 60).status is JobStatus.COMPLETED
    # And whoever only asks finds one, too
    broker = RabbitBroker(Settings(broker_url=cluster.url, queue_prefix=spread.settings.queue_prefix), [])
    broker.check()
    assert broker.is_empty(Queue.TRANSCRIBE)
    _return(spread, cluster, first)
    # When the node in use then goes down, then they move on to one that is up
    cluster.nodes[1].kill()
    assert spread.until_ended(spread.submit(), 60).status is JobStatus.COMPLETED
    _return(spread, cluster, cluster.nodes[1])
    assert Names(spread.settings.queue_prefix, "quorum").main(Queue.TRANSCRIBE) in broker_queues(cluster.nodes[1])


def test_without_most_of_its_nodes_a_queue_is_refused_and_not_waited_for(spread: Service, cluster: Cluster) -> None:
    # Given queues that have worked
    spread.start()
    assert spread.until_ended(spread.submit(), 60).status is JobStatus.COMPLETED
    # When two nodes of three are down, then whoever publishes hears within seconds that it will not be confirmed
    others = cluster.nodes[1:]
    for node in others:
        node.kill()
    job_id = spread.submit()
    broker = RabbitBroker(spread.settings, [])
    ref = TaskRef(job_id, 1, WHOLE_JOB, Stage.PREPARE)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        broker.publish(Outgoing(0, Queue.DEFAULT, 2, messages.message_for(ref, 2).encode()))
    assert time.monotonic() - began < 30
    broker.close()
    # And when they are back, the job is done
    for node in others:
        _return_one(spread, node)
    spread.until(cluster.whole, 120)
    assert spread.until_ended(job_id, 120).status is JobStatus.COMPLETED
    assert len([attempt for attempt in spread.attempts("prepare") if attempt.job_id == job_id]) == 1


def broker_queues(node: Node) -> list[str]:
    return [queue["name"] for queue in node.ask("queues/%2F")]


def _return_one(service: Service, node: Node) -> None:
    def back() -> bool:
        node.poll()
        return node.ready()

    service.until(back, 120)


def _return(service: Service, cluster: Cluster, node: Node) -> None:
    """Bring a node back while the service goes on."""

    def back() -> bool:
        node.poll()
        return cluster.whole()

    service.until(back, 120)
