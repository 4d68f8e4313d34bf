"""Real worker processes over real brokers and databases: what a job may count on."""

import os
import signal
import time

import psutil
import pytest

from octavia.jobs import cancel
from octavia.jobs.states import JobStatus, Priority
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


def test_a_failed_attempt_is_tried_again(service: Service) -> None:
    # Given a running service
    service.start()
    # When a job's task fails twice and then does not
    job = service.until_ended(service.submit("fail", "fail", "succeed"))
    # Then the job completes with the third attempt
    assert job.status is JobStatus.COMPLETED
    assert [attempt.number for attempt in service.attempts()] == [1, 2, 3]


def test_what_fails_every_time_fails_the_job(service: Service) -> None:
    # Given a running service that tries four times
    service.start()
    # When a job's task always fails
    job = service.until_ended(service.submit("fail"))
    # Then the job fails after the fourth attempt and says why
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "task_failed"
    assert len(service.attempts()) == 4


def test_a_bad_input_is_not_tried_again(service: Service) -> None:
    # Given a running service
    service.start()
    # When a job's input turns out to be of no use
    job = service.until_ended(service.submit("refuse"))
    # Then it fails at once
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "not_media"
    assert len(service.attempts()) == 1


def test_the_task_of_a_killed_worker_is_requeued_at_once(service: Service) -> None:
    # Given a task in the hands of a worker, under a long lease
    service.set(lease_seconds=300)
    service.start()
    job_id = service.submit("sleep", "succeed")
    service.until(service.attempts)
    # When that worker is killed
    killed_at = time.monotonic()
    os.kill(service.attempts()[0].pid, signal.SIGKILL)
    # Then another one finishes the job, long before the lease would have ended
    job = service.until_ended(job_id)
    assert job.status is JobStatus.COMPLETED
    assert [attempt.number for attempt in service.attempts()] == [1, 2]
    assert time.monotonic() - killed_at < 30


def test_code_that_never_returns_is_killed_at_its_hard_limit(service: Service) -> None:
    # Given a hard limit of twice the lease
    service.set(hard_limit_seconds=6, lease_seconds=3)
    service.start()
    # When an attempt holds the interpreter's lock in C
    job = service.until_ended(service.submit("hold the interpreter", "succeed"))
    # Then its process was replaced, the task was not taken from it before, and the second attempt made it
    assert job.status is JobStatus.COMPLETED
    first, second = service.attempts()
    assert (first.number, second.number) == (1, 2)
    assert first.pid != second.pid
    assert not psutil.pid_exists(first.pid)


def test_an_attempt_past_its_soft_limit_ends_itself(service: Service) -> None:
    # Given a soft limit that is soon reached
    service.set(soft_limit_seconds=1, retry_delays=())
    service.start()
    # When an attempt goes on and on
    job = service.until_ended(service.submit("work in pieces"))
    # Then it ended between two pieces, in the same process
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "time_limit_exceeded"
    assert "soft" in job.error.message
    assert psutil.pid_exists(service.attempts()[0].pid)


def test_loading_a_model_has_a_limit_of_its_own(service: Service) -> None:
    # Given limits for work that are shorter than loading takes
    service.set(soft_limit_seconds=1, hard_limit_seconds=2)
    service.start()
    # When an attempt loads a model
    job = service.until_ended(service.submit("load"))
    # Then nothing interrupts it
    assert job.status is JobStatus.COMPLETED
    assert len(service.attempts()) == 1


def test_a_stop_gives_the_attempt_back(service: Service) -> None:
    # Given a task in work
    service.start()
    job_id = service.submit("work in pieces", "succeed")
    service.until(service.attempts)
    pid = service.attempts()[0].pid
    # When the service is stopped
    began = time.monotonic()
    service.stop()
    # Then it ends between two pieces, and nothing is left running
    assert time.monotonic() - began < 5
    assert not psutil.pid_exists(pid)
    assert service.job(job_id).status is JobStatus.PROCESSING
    # And the next start finishes the job, though there was only one attempt to have
    service.set(retry_delays=())
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED


def test_a_stop_does_not_wait_for_ever(service: Service) -> None:
    # Given a task that does not come to its next piece
    service.set(stop_grace_seconds=1)
    service.start()
    job_id = service.submit("sleep", "succeed")
    service.until(service.attempts)
    # When the service is stopped
    began = time.monotonic()
    service.stop()
    # Then that takes its grace and little more, and the attempt was given back
    assert time.monotonic() - began < 4
    service.set(retry_delays=())
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED


def test_a_cancel_reaches_the_running_task(service: Service) -> None:
    # Given a task in work
    service.start()
    job_id = service.submit("work in pieces")
    service.until(service.attempts)
    # When its job is canceled
    cancel.cancel(service.db, job_id, "local")
    # Then the task stops, and the worker is free for the next job
    assert service.until_ended(job_id, 10).status is JobStatus.CANCELED
    assert service.until_ended(service.submit()).status is JobStatus.COMPLETED


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


def test_a_worker_is_replaced_after_so_many_tasks(service: Service) -> None:
    # Given workers that are to be replaced after two tasks
    service.set(recycle_tasks=2)
    service.start()
    # When a job has six chunks
    job = service.until_ended(service.submit(chunks=6))
    # Then no process has worked on more than two, and no attempt was lost over it
    assert job.status is JobStatus.COMPLETED
    attempts = [*service.attempts("prepare"), *service.attempts(), *service.attempts("assemble")]
    pids = [attempt.pid for attempt in attempts]
    assert max(pids.count(pid) for pid in pids) == 2
    assert {attempt.number for attempt in attempts} == {1}
