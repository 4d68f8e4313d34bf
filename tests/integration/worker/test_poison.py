"""Tasks whose worker dies: the attempt counts, the job ends in a reason, and the others' work goes on."""

import os
import signal
import time
from uuid import UUID

import pytest

from octavia.jobs.tables import events
from octavia.jobs.tables.states import JobStatus
from tests.integration.worker.conftest import Service

embedded = pytest.mark.parametrize("service", ["embedded sqlite"], indirect=True)
distributed = pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True)

DEATHS = {
    "be killed": ("SIGKILL", "memory"),
    "touch address 0": ("segmentation fault", "log"),
    "abort in C": ("SIGABRT", "memory"),
    "exit in C": ("exit code 3", "log"),
    "run out of memory in C": ("segmentation fault", "log"),
}
"""What the user is to hear of each way to die, and of its remedy."""


def numbers(service: Service, job_id: UUID) -> list[int]:
    """The attempts at a job's chunk that have begun."""
    return [attempt.number for attempt in service.attempts() if attempt.job_id == job_id]


def check_reason(service: Service, job_id: UUID, act: str) -> None:
    """See that a failed job says how its workers died, and in what."""
    job = service.job(job_id)
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "worker_lost"
    how, remedy = DEATHS[act]
    assert how in job.error.message
    assert "transcribe" in job.error.message
    assert remedy in job.error.hint
    told = events.since(service.db, job_id, 0, 1000)[-1]
    assert (told.type, told.data["code"], told.data["message"]) == ("failed", "worker_lost", job.error.message)


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
    assert time.monotonic() - killed_at < 60


@distributed
def test_a_task_that_kills_every_worker_fails_after_the_last_attempt(service: Service) -> None:
    # Given a service that tries four times
    service.start()
    # When a job's task kills whichever worker takes it, and another job is behind it
    poison, other = service.submit("touch address 0"), service.submit()
    # Then that one is done, and the poison fails after the fourth attempt and is left alone
    assert service.until_ended(other).status is JobStatus.COMPLETED
    service.until_ended(poison)
    assert numbers(service, poison) == [1, 2, 3, 4]
    check_reason(service, poison, "touch address 0")
    assert service.until_ended(service.submit()).status is JobStatus.COMPLETED
    assert numbers(service, poison) == [1, 2, 3, 4]


@embedded
def test_the_reason_tells_how_the_worker_died(service: Service) -> None:
    # Given a service that tries once
    service.set(retry_delays=())
    service.start(slots=2)
    # When workers die in all kinds of ways, with another job in between
    poison = {act: service.submit(act) for act in DEATHS}
    other = service.submit()
    # Then each job says what happened to it, and the other one is done
    for act, job_id in poison.items():
        service.until_ended(job_id)
        check_reason(service, job_id, act)
    assert service.until_ended(other).status is JobStatus.COMPLETED


@embedded
def test_a_worker_that_notices_that_memory_ran_out_lives_on(service: Service) -> None:
    # Given a service that tries once
    service.set(retry_delays=())
    service.start()
    # When Python finds no more memory for a task
    job = service.until_ended(service.submit("run out of memory"))
    # Then the job says so
    assert job.status is JobStatus.FAILED
    assert job.error
    assert "memory" in job.error.message
    # And the next one may be done by the same process
    assert service.until_ended(service.submit()).status is JobStatus.COMPLETED
    assert len({attempt.pid for attempt in service.attempts()}) == 1


@distributed
def test_a_message_that_comes_again_before_its_task_is_free_starts_nothing(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    # Given a task in the hands of one of two workers, under a long lease
    service.set(lease_seconds=300, log_format="json")
    service.start(slots=2)
    job_id = service.submit("sleep", "succeed")
    service.until(lambda: service.attempts() and len(service.ready()) == 4)
    # When that worker is killed, and its supervisor does not see it yet
    os.kill(service.attempts()[0].pid, signal.SIGKILL)
    # Then RabbitMQ gives the message to the other one, which drops it
    deadline, said = time.monotonic() + 60, ""
    while '"event": "message_dropped"' not in said:
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
        said += capfd.readouterr().err
    assert numbers(service, job_id) == [1]
    # And when the supervisor sees it, the task is on its way again
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    assert numbers(service, job_id) == [1, 2]


@pytest.mark.long
def test_ten_poisonous_jobs_in_a_row_cost_the_others_little(service: Service) -> None:
    # Given two workers
    service.start(slots=2)
    service.until_ended(service.submit())
    # When ten jobs that kill whoever takes them come in a row, and five others after them
    began = time.monotonic()
    poison = [service.submit(act) for act in DEATHS for _ in range(2)]
    others = [service.submit() for _ in range(5)]
    # Then the others are done, each stage behind one round of deaths
    for job_id in others:
        assert service.until_ended(job_id, 300).status is JobStatus.COMPLETED
    others_took = time.monotonic() - began
    for job_id in poison:
        service.until_ended(job_id, 300)
        assert numbers(service, job_id) == [1, 2, 3, 4]
    poison_took = time.monotonic() - began
    print(f"five good jobs behind ten poisonous ones: {others_took:.0f} s; 40 deaths: {poison_took:.0f} s")
    # And no process was kept back: pauses that grow to half a minute would make more than six minutes
    assert others_took < 300
    assert poison_took < 300
