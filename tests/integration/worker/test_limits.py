"""Attempts that take too long: they end themselves between two pieces, or are ended from outside."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import dramatiq
import psutil
import pytest

from chaos.proxy import Proxy
from octavia.jobs.protocol import outbox
from octavia.jobs.tables import events
from octavia.jobs.tables.states import JobStatus, Queue
from tests.integration.worker.commands import QUEUES
from tests.integration.worker.conftest import Service

embedded = pytest.mark.parametrize("service", ["embedded sqlite"], indirect=True)
distributed = pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True)


def retries(service: Service, job_id: UUID) -> list[Any]:
    """Why attempts at a job's tasks were followed by others, as its watchers hear it."""
    found = events.since(service.db, job_id, 0, 1000)
    return [event.data["code"] for event in found if event.data.get("status") == "retrying"]


def numbers(service: Service, job_id: UUID) -> list[int]:
    """The attempts at a job's chunk that have begun."""
    return [attempt.number for attempt in service.attempts() if attempt.job_id == job_id]


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


def test_code_that_never_returns_is_killed_at_its_hard_limit(service: Service) -> None:
    # Given one worker more than there will be hung ones, and a hard limit longer than the lease
    acts = ("hold the interpreter", "sleep in C") if service.settings.embedded else ("hold the interpreter",)
    service.set(hard_limit_seconds=6)
    service.start(slots=len(acts) + 1)
    count = 3 if service.settings.embedded else 4
    # All are up: one that came much later than another would find that its limit is over.
    service.until(lambda: len(service.ready()) == count)
    # When one attempt sleeps in C with the interpreter's lock in its hands, and another one without
    stuck = [service.submit(act, "succeed") for act in acts]
    service.until(lambda: len(service.attempts()) == len(acts))
    hung = {attempt.pid for attempt in service.attempts()}
    # Then their sibling gets on with other work, while nobody takes theirs from them
    while psutil.pid_exists(service.attempts()[0].pid):
        assert service.until_ended(service.submit()).status is JobStatus.COMPLETED
        assert all(numbers(service, job_id) == [1] for job_id in stuck) or not all(map(psutil.pid_exists, hung))
    # And their processes are killed, and others soon in their places
    service.until(lambda: not any(map(psutil.pid_exists, hung)))
    killed_at = time.monotonic()
    service.until(lambda: len([worker for worker in service.ready() if worker.pid not in hung]) == count)
    assert time.monotonic() - killed_at < 30
    # And the second attempts make it, the first ones having counted, for a reason that is on record
    for job_id in stuck:
        assert service.until_ended(job_id).status is JobStatus.COMPLETED
        assert numbers(service, job_id) == [1, 2]
        assert retries(service, job_id) == ["time_limit_exceeded"]


@embedded
def test_loading_a_model_has_a_limit_of_its_own(service: Service) -> None:
    # Given limits for work that are shorter than loading takes
    service.set(soft_limit_seconds=3, hard_limit_seconds=3)
    service.start()
    # When an attempt loads a model
    job = service.until_ended(service.submit("load"))
    # Then nothing interrupts it
    assert job.status is JobStatus.COMPLETED
    assert len(service.attempts()) == 1


@embedded
def test_a_model_that_never_loads_fails_its_job_in_the_end(service: Service) -> None:
    # Given a limit for loading that is soon reached, and two attempts
    service.set(load_limit_seconds=1, retry_delays=(0.1,))
    service.start()
    # When each hangs while it loads a model
    job = service.until_ended(service.submit("load for ever"))
    # Then the job has failed, and says what took too long and what may help
    assert job.status is JobStatus.FAILED
    assert job.error
    assert job.error.code == "time_limit_exceeded"
    assert "model" in job.error.message
    assert "OCTAVIA_LOAD_LIMIT_SECONDS" in job.error.hint
    assert len(service.attempts()) == 2


@distributed
def test_a_hard_limit_during_an_outage_is_made_good_afterwards(service: Service, line: Proxy) -> None:
    # Given an attempt that hangs
    service.set(hard_limit_seconds=5, lease_seconds=60)
    service.start()
    job_id = service.submit("sleep in C", "succeed")
    service.until(service.attempts)
    # When the database is away at its hard limit
    line.cut()
    # Then its process is killed all the same
    service.until(lambda: not psutil.pid_exists(service.attempts()[0].pid))
    # And once the database is back, the attempt counts as what it was
    line.mend()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    assert retries(service, job_id) == ["time_limit_exceeded"]


@embedded
def test_a_supervisor_that_was_frozen_looks_at_the_clock_first(service: Service) -> None:
    # Given an attempt that hangs
    service.set(hard_limit_seconds=5)
    supervisor = service.spawn()
    job_id = service.submit("sleep in C", "succeed")
    service.until(service.attempts)
    # When the supervisor stands still beyond its hard limit
    with frozen(supervisor.pid):
        time.sleep(5.5)
        assert psutil.pid_exists(service.attempts()[0].pid)
    # Then it does what it has to as soon as it goes on
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    assert retries(service, job_id) == ["time_limit_exceeded"]


@pytest.mark.long
@distributed
def test_tasks_of_a_frozen_supervisor_are_taken_by_another(service: Service) -> None:
    # Given an attempt that cannot renew its own lease, and a supervisor that did so, until it stood still
    service.set(hard_limit_seconds=30)
    supervisor = service.spawn()
    job_id = service.submit("hold the interpreter", "succeed")
    service.until(service.attempts)
    with frozen(supervisor.pid):
        # When there is another one
        service.start()
        # Then the job completes there, when its lease has ended
        job = service.until_ended(job_id, 25)
        assert job.status is JobStatus.COMPLETED
        assert retries(service, job_id) == ["worker_lost"]
        assert psutil.pid_exists(service.attempts()[0].pid)
    # And the first one, once it goes on, ends its own attempt and changes nothing
    service.until(lambda: not psutil.pid_exists(service.attempts()[0].pid))
    assert service.job(job_id) == job


@distributed
def test_maintenance_that_hangs_does_not_hold_its_queue(
    service: Service, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Given a round of maintenance that never ends, and another one behind it
    service.set(load_limit_seconds=4, log_format="json")
    service.start(queues=QUEUES)
    service.until(lambda: len(service.ready()) == 3)
    log = tmp_path / "hung"
    for actor, kwargs in (("hang", {"log": str(log)}), ("report", {})):
        options = {"scheduled_at": str(datetime.now(UTC))} if actor == "hang" else {}
        message = dramatiq.Message(Queue.MAINTENANCE.value, actor, (), kwargs, options)
        with service.db.transaction() as session:
            outbox.add(session, Queue.MAINTENANCE, 2, message.encode())
    # When its time is over
    said: list[str] = []
    service.until(lambda: said.append(capfd.readouterr().err) or '"event": "report"' in "".join(said))
    # Then it was killed, and is not begun a second time although its message came again
    (pid,) = log.read_text().split()
    assert not psutil.pid_exists(int(pid))


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that stands still for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
