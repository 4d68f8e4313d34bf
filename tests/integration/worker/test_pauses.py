"""Paused and drained queues and hosts, with real worker processes: nothing new is begun, nothing lost or done twice."""

import os
import signal
import socket
import time
from uuid import UUID

import psutil
import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.errors import NotFound
from octavia.jobs.operations import pauses
from octavia.jobs.status import queues
from octavia.jobs.tables.pauses import PauseRecord
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import JobStatus, PauseMode, Queue, Stage, TaskStatus
from tests.integration.worker.conftest import Service

# Longer than an order takes to reach every worker.
_A_WHILE = 2.5

everywhere = pytest.mark.parametrize(
    "service", ["embedded sqlite", "rabbitmq postgresql", "quorum postgresql"], indirect=True
)
both_kinds = pytest.mark.parametrize("service", ["embedded sqlite", "rabbitmq postgresql"], indirect=True)
quorum = pytest.mark.parametrize("service", ["quorum postgresql"], indirect=True)
classic = pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True)


def pause(
    service: Service, queue: Queue | None = Queue.TRANSCRIBE, host: str | None = None, *, mode: str = "pause"
) -> PauseRecord:
    return pauses.pause(service.db, queue, host, PauseMode(mode), by="a test")


def resume(service: Service, order: PauseRecord) -> None:
    pauses.resume(service.db, order.id, by="a test")


def stands(service: Service, completed: int) -> None:
    """Nothing is begun for a while, when so many chunks are completed."""
    service.until(lambda: statuses(service).count(TaskStatus.COMPLETED) == completed)
    begun, until = len(service.attempts()), time.monotonic() + _A_WHILE
    service.until(lambda: time.monotonic() > until)
    assert len(service.attempts()) == begun
    assert TaskStatus.RUNNING not in statuses(service)


def statuses(service: Service) -> list[TaskStatus]:
    with service.db.reading() as session:
        return list(session.scalars(sa.select(col(Task.status)).where(col(Task.stage) == Stage.TRANSCRIBE)))


def completes_once(service: Service, job_id: UUID, chunks: int) -> None:
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    done = [attempt for attempt in service.attempts() if attempt.job_id == job_id]
    assert sorted(attempt.chunk for attempt in done) == list(range(chunks))
    assert {attempt.number for attempt in done} == {1}


def serving(service: Service, queue: Queue = Queue.TRANSCRIBE) -> set[int]:
    """The pids of the worker processes of a queue that are up."""
    return {worker.pid for worker in service.ready() if queue.value in worker.queues and psutil.pid_exists(worker.pid)}


@everywhere
def test_a_queue_is_paused_in_the_middle_of_a_job(service: Service) -> None:
    # Given a job with a chunk in hand and more behind it
    service.start()
    service.until(lambda: serving(service))
    before = serving(service)
    job_id = service.submit("wait for the gate", chunks=4)
    service.until(service.attempts)
    # When its queue is paused, twice
    order = pause(service)
    assert pause(service) == order
    service.gate.touch()
    # Then the chunk in hand is completed, no other one is begun, and the process stays, with what it has loaded
    stands(service, completed=1)
    assert serving(service) == before
    [state] = [state for state in queues.read(service.db, service.settings.patience) if state.queue == "transcribe"]
    assert (state.depth, state.running, state.standing) == (3, 0, True)
    # And other queues go on
    other = service.submit()
    service.until(lambda: service.attempts("prepare")[-1].job_id == other)
    # And once the queue is resumed, the jobs complete, and each chunk was done once
    resume(service, order)
    completes_once(service, job_id, 4)
    completes_once(service, other, 1)
    assert serving(service) == before


@both_kinds
def test_processes_of_a_drained_host_end_and_come_back(service: Service) -> None:
    # Given a job with a chunk in hand
    service.start()
    job_id = service.submit("wait for the gate", chunks=2)
    service.until(service.attempts)
    # When the host is drained
    order = pause(service, None, socket.gethostname(), mode="drain")
    pids = serving(service)
    until = time.monotonic() + 1
    service.until(lambda: time.monotonic() > until)
    # Then the process with the chunk goes on until that is done
    assert service.attempts()[-1].pid in serving(service)
    service.gate.touch()
    stands(service, completed=1)
    # And all end, and none comes back
    service.until(lambda: not service.ready())
    assert not any(psutil.pid_exists(pid) for pid in pids)
    # And once it is resumed, others take their places
    resume(service, order)
    completes_once(service, job_id, 2)


@everywhere
def test_a_job_survives_any_number_of_pauses(service: Service) -> None:
    # Given two workers and a job that keeps them busy
    service.start(slots=2)
    job_id = service.submit("work a little", chunks=16)
    late = []
    for begun in (3, 7, 11):
        service.until(lambda begun=begun: len(service.attempts()) >= begun)
        # When its queue is paused at any moment, and resumed as soon as nothing runs
        order = pause(service)
        service.until(lambda: TaskStatus.RUNNING not in statuses(service))
        with service.db.reading() as session:
            last = session.scalars(sa.select(sa.func.max(Task.started_at))).one()
        late.append((last - order.created_at).total_seconds())
        resume(service, order)
    # Then every chunk is done once, and hardly any was claimed after a pause
    completes_once(service, job_id, 16)
    print(f"\nlast claim after the pause, s | {max(late):.3f}")
    assert max(late) <= 2


@classic
def test_only_the_processes_of_a_drained_queue_end(service: Service) -> None:
    # Given a service whose processes are up
    service.start()
    service.until(lambda: serving(service) and serving(service, Queue.DEFAULT))
    # When a queue is drained
    order = pause(service, mode="drain")
    # Then its processes end, and the others stay
    service.until(lambda: not serving(service))
    assert serving(service, Queue.DEFAULT)
    # And the drain may become a pause
    again = pause(service)
    assert (again.id, again.mode) == (order.id, PauseMode.PAUSE)
    service.until(lambda: serving(service))
    job_id = service.submit()
    stands(service, completed=0)
    resume(service, order)
    completes_once(service, job_id, 1)


@both_kinds
def test_a_pause_outlives_everything(service: Service) -> None:
    # Given a paused queue, and a job with a chunk in hand
    service.set(lease_seconds=2)
    supervisor = service.spawn()
    job_id = service.submit("wait for the gate", "succeed", chunks=2)
    service.until(service.attempts)
    order = pause(service)
    # When its process is killed
    os.kill(service.attempts()[0].pid, signal.SIGKILL)
    # Then the chunk waits, like the other one
    service.until(lambda: statuses(service) == [TaskStatus.QUEUED] * 2)
    stands(service, completed=0)
    # When the supervisor is killed too, and another one starts
    supervisor.kill()
    supervisor.wait()
    service.spawn()
    # Then its workers begin nothing
    stands(service, completed=0)
    assert len(service.attempts()) == 1
    # And after the pause the job completes
    service.gate.touch()
    resume(service, order)
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    assert sorted((attempt.chunk, attempt.number) for attempt in service.attempts()[1:]) in (
        [(0, 2), (1, 1)],
        [(0, 1), (1, 2)],
    )
    with pytest.raises(NotFound):
        resume(service, order)


@quorum
def test_other_hosts_take_what_a_paused_host_leaves(service: Service) -> None:
    # Given two hosts, one of which is paused
    service.spawn(host="one")
    paused = {worker.pid for worker in service.ready()}
    order = pause(service, None, "one")
    service.spawn(host="two")
    # When jobs come
    jobs = [service.submit("work a little", chunks=3) for _ in range(3)]
    # Then the other host does them all, each chunk once
    for job_id in jobs:
        completes_once(service, job_id, 3)
    assert not {attempt.pid for attempt in service.attempts()} & paused
    # And the first one goes on when it is resumed and the other one paused
    pause(service, Queue.TRANSCRIBE, "two")
    resume(service, order)
    last = service.submit(chunks=3)
    completes_once(service, last, 3)
    assert {attempt.pid for attempt in service.attempts() if attempt.job_id == last} <= paused


@classic
def test_no_claim_begins_after_a_pause_even_if_the_supervisor_hears_of_it_late(service: Service) -> None:
    # Given a supervisor that stands still, with a busy worker and chunks behind what it does
    supervisor = service.spawn()
    job_id = service.submit("wait for the gate", chunks=4)
    service.until(service.attempts)
    supervisor.send_signal(signal.SIGSTOP)
    # When the queue is paused, and the worker is free
    order = pause(service)
    service.gate.touch()
    # Then it begins no other chunk
    stands(service, completed=1)
    # And goes on with the supervisor
    supervisor.send_signal(signal.SIGCONT)
    resume(service, order)
    completes_once(service, job_id, 4)
