"""RabbitMQ goes away in every way that it can: whoever got a 202 gets the result, once."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from chaos.proxy import Proxy
from octavia.brokers.queues import real_name
from octavia.jobs.tables.states import Queue
from rabbitmq.node import Node
from tests.integration.faults.conftest import Deploy
from tests.integration.faults.deployment import Deployment, Recovery, until_broken
from tests.support.rabbitmq import delete_queues, disk_alarm, killed, memory_alarm, stopped

Fault = Callable[[Node], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def deployment(deploy: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deploy(tmp_path_factory.mktemp("deployment"), {})


# Another crash, without the API, is in tests/integration/worker/test_messages.py.
@pytest.mark.parametrize("away", [stopped, pytest.param(killed, marks=pytest.mark.long)])
def test_a_broker_that_was_away_loses_nothing(deployment: Deployment, rabbitmq: Node, away: Fault) -> None:
    # Given a task in work, and another job that waits behind it
    first, second = deployment.accepted("take a moment"), deployment.accepted("take a moment")
    deployment.until_attempted(first)
    # When RabbitMQ is stopped
    with away(rabbitmq):
        # Then the API says so, and accepts jobs all the same: they wait in the outbox
        until_broken(deployment, broker="broker_unavailable")
        third = deployment.accepted()
    # And when it is back, all complete, and nothing was done twice
    recovery = Recovery(f"RabbitMQ {away.__name__} and started")
    deployment.until_whole(first, second, third)
    recovery.within(30)
    assert [deployment.numbers(job_id) for job_id in (first, second, third)] == [[1], [1], [1]]
    deployment.until_ready()


def test_a_connection_that_is_reset_in_mid_job_loses_nothing(deployment: Deployment, line: Proxy) -> None:
    # Given a task in work, and another job that waits behind it
    first, second = deployment.accepted("take a moment"), deployment.accepted()
    deployment.until_attempted(first)
    # When every connection to RabbitMQ is reset
    line.reset()
    # Then both jobs complete, although the first one's message is delivered again
    recovery = Recovery("connections to RabbitMQ reset")
    deployment.until_whole(first, second)
    recovery.within(20)
    assert deployment.numbers(first) == [1]


def test_queues_that_are_deleted_come_back_with_what_was_in_them(deployment: Deployment, rabbitmq: Node) -> None:
    # Given a task in work, and jobs whose messages lie behind it
    jobs = [deployment.accepted("take a moment") for _ in range(3)]
    deployment.until_attempted(jobs[0])
    # When the queues are deleted under those who consume them
    prefix = deployment.settings.queue_prefix
    delete_queues(rabbitmq, [real_name(prefix, queue) for queue in (Queue.DEFAULT, Queue.TRANSCRIBE)])
    # Then they are declared again, what was lost is sent again from the database, and all jobs complete
    recovery = Recovery("queues deleted while workers consume (repair after 2 s instead of 60 s)")
    deployment.until_whole(*jobs)
    recovery.within(30)
    assert deployment.numbers(jobs[0]) == [1]


@pytest.mark.long
@pytest.mark.parametrize("alarm", [memory_alarm, disk_alarm])
def test_a_stop_during_an_alarm_is_bounded_and_loses_nothing(
    deployment: Deployment, rabbitmq: Node, alarm: Fault
) -> None:
    # Given a task in work while RabbitMQ takes no messages
    job_id = deployment.accepted("take a moment")
    deployment.until_attempted(job_id)
    with alarm(rabbitmq):
        until_broken(deployment, broker="broker_blocked")
        # When the workers are stopped, then that takes no longer than ever
        began = time.monotonic()
        deployment.stop()
        assert time.monotonic() - began < 30
        deployment.refused("broker_blocked")
    # And when the alarm is over and they are back, the job completes
    recovery = Recovery("alarm over, workers started anew")
    deployment.start()
    deployment.until_whole(job_id)
    recovery.within(40)
    deployment.until_ready()
