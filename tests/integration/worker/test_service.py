"""Real worker processes over real brokers and databases: what a job may count on."""

import pytest

from octavia.jobs.protocol import cancel
from octavia.jobs.tables.states import JobStatus, Priority
from tests.integration.worker.conftest import Service
from tests.support.receiver import SECRET, Receiver


@pytest.mark.parametrize(
    "service", ["embedded sqlite", "embedded postgresql", "rabbitmq sqlite", "rabbitmq postgresql"], indirect=True
)
def test_a_job_goes_through_all_its_stages(service: Service) -> None:
    # Given a running service
    service.start()
    # When a job of three chunks is submitted
    job_id = service.submit(chunks=3)
    # Then it completes, each task worked on once
    job = service.until_ended(job_id)
    assert job.status is JobStatus.COMPLETED
    assert job.progress == 1
    assert len(service.attempts("prepare")) == len(service.attempts("assemble")) == 1
    assert sorted(attempt.chunk for attempt in service.attempts()) == [0, 1, 2]


def test_the_end_of_a_job_is_told_by_whoever_keeps_the_workers(service: Service) -> None:
    # Given a running service that signs webhooks
    service.set(outbound_allow="127.0.0.1", webhook_secret=SECRET)
    service.start()
    with Receiver() as receiver:
        # When a job that names a receiver fails
        job_id = service.submit("refuse", webhook_url=receiver.url)
        service.until(lambda: receiver.received)
    # Then its receiver hears of it
    (received,) = receiver.received
    assert (received.type, received.data["id"]) == ("job.failed", str(job_id))
    assert received.data["error"]["code"]


def test_a_failed_attempt_is_tried_again(running: Service) -> None:
    # Given a running service
    # When a job's task fails twice and then does not
    job = running.until_ended(running.submit("fail", "fail", "succeed"))
    # Then the job completes with the third attempt
    assert job.status is JobStatus.COMPLETED
    assert [attempt.number for attempt in running.attempts()] == [1, 2, 3]


def test_a_task_that_fails_every_time_fails_the_job(running: Service) -> None:
    # Given a running service that tries four times
    # When a job's task always fails
    job = running.until_ended(running.submit("fail"))
    # Then the job fails after the fourth attempt and says why
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "task_failed"
    assert len(running.attempts()) == 4


def test_a_bad_input_is_not_tried_again(running: Service) -> None:
    # Given a running service
    # When a job's input turns out to be of no use
    job = running.until_ended(running.submit("refuse"))
    # Then it fails at once
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "not_media"
    assert len(running.attempts()) == 1


def test_a_cancel_reaches_the_running_task(running: Service) -> None:
    # Given a task in work
    job_id = running.submit("work in pieces")
    running.until(running.attempts)
    # When its job is canceled
    cancel.cancel(running.db, job_id, "local")
    # Then the task stops, and the worker is free for the next job
    assert running.until_ended(job_id, 10).status is JobStatus.CANCELED
    assert running.until_ended(running.submit()).status is JobStatus.COMPLETED


def test_an_outage_does_not_use_up_attempts(service: Service) -> None:
    # Given a service with one attempt for each task
    service.set(retry_delays=())
    service.start()
    # When the storage is away during an attempt
    job = service.until_ended(service.submit("miss storage", "succeed"))
    # Then the job completes all the same
    assert job.status is JobStatus.COMPLETED


def test_urgent_jobs_go_first(service: Service) -> None:
    # Given waiting jobs, the least urgent submitted first
    low = service.submit(priority=Priority.LOW)
    normal = service.submit(priority=Priority.NORMAL)
    high = service.submit(priority=Priority.HIGH)
    # When the service starts, with one process for each queue
    service.start()
    for job_id in (low, normal, high):
        service.until_ended(job_id)
    # Then the most urgent was begun first
    assert [attempt.job_id for attempt in service.attempts("prepare")] == [high, normal, low]
