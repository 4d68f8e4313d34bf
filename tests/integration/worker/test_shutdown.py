"""Workers that are told to stop: by whom, how often and in whose company makes no difference to a job."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import sqlalchemy as sa
from sqlmodel import col

from chaos.proxy import Proxy
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import JobStatus, JobType, Stage, TaskStatus
from octavia.local import LocalService
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.worker.conftest import Service

embedded = pytest.mark.parametrize("service", ["embedded sqlite"], indirect=True)
distributed = pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True)

CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
SUPERVISE = "tests.integration.worker.supervise"
Order = Callable[["subprocess.Popen[bytes]"], None]


def interrupt(supervisor: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C in its terminal."""
    os.killpg(supervisor.pid, signal.SIGINT)


def tell_group(supervisor: "subprocess.Popen[bytes]") -> None:
    """``kill -TERM -PGID``."""
    os.killpg(supervisor.pid, signal.SIGTERM)


def tell_everybody_twice(supervisor: "subprocess.Popen[bytes]") -> None:
    """As systemd does for the processes of a service, and again, as by a wrapper that passes on what it is told."""
    everybody = [psutil.Process(supervisor.pid), *psutil.Process(supervisor.pid).children(recursive=True)]
    for _ in range(2):
        for process in everybody:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
        time.sleep(0.1)


def pieces(service: Service, job_id: UUID, folder: str = "pieces") -> list[str]:
    """The keys of the pieces of a job that keeps them, in order; in ``begun`` there is one for each that was begun."""
    return sorted(key for key, _ in Storage(service.settings.storage).keys(f"jobs/{job_id}/{folder}"))


def zombies(supervisor: psutil.Process) -> list[psutil.Process]:
    """What has ended below a process, and nobody has taken leave of."""
    found = []
    for child in supervisor.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # somebody does so while we look
            if child.status() == psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def task_of(service: Service, job_id: UUID) -> Task:
    with service.db.reading() as session:
        wanted = sa.select(Task).where(col(Task.job_id) == job_id, col(Task.stage) == Stage.TRANSCRIBE)
        return session.scalars(wanted).one()


def test_a_stop_gives_the_attempt_back(service: Service) -> None:
    # Given a task in work, which takes 15 s in all, and a grace that is longer
    service.set(stop_grace_seconds=30)
    service.start()
    job_id = service.submit("work in pieces", "succeed")
    service.until(service.attempts)
    pid = service.attempts()[0].pid
    # When the service is stopped
    began = time.monotonic()
    service.stop()
    # Then it ends between two pieces, and nothing is left running
    assert time.monotonic() - began < 13
    assert not psutil.pid_exists(pid)
    assert service.job(job_id).status is JobStatus.PROCESSING
    # And the next start finishes the job, though there was only one attempt to have
    service.set(retry_delays=())
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("service", "act"),
    [("embedded sqlite", "hold the interpreter"), ("rabbitmq postgresql", "sleep in C")],
    indirect=["service"],
)
def test_a_stop_does_not_wait_for_ever(service: Service, act: str) -> None:
    # Given a task that does not come to its next piece
    service.set(stop_grace_seconds=1)
    service.start()
    job_id = service.submit(act, "succeed")
    service.until(service.attempts)
    # When the service is stopped
    began = time.monotonic()
    service.stop()
    # Then that takes its grace and little more, not the minute that the task takes, and the attempt was given back
    assert time.monotonic() - began < 25
    assert task_of(service, job_id).status is TaskStatus.QUEUED
    service.set(retry_delays=())
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("service", "orders"),
    [
        ("rabbitmq postgresql", (interrupt, tell_everybody_twice)),
        pytest.param("embedded sqlite", (interrupt, tell_group, tell_everybody_twice), marks=pytest.mark.long),
    ],
    indirect=["service"],
)
def test_however_the_order_comes_pieces_are_finished_and_kept(service: Service, orders: tuple[Order, ...]) -> None:
    # Given a service with one attempt for each task, and a task in pieces that are kept
    service.set(retry_delays=(), stop_grace_seconds=30)
    job_id = service.submit("keep pieces")
    for number, order in enumerate(orders):
        before = len(pieces(service, job_id, "begun"))
        supervisor = service.spawn()
        # When it is told to stop in the middle of a piece
        service.until(lambda before=before: len(pieces(service, job_id, "begun")) > before)
        order(supervisor)
        # Then it does, when that piece is done, and the task goes back, with its attempt
        assert supervisor.wait(25) == 0
        begun = pieces(service, job_id, "begun")
        assert [key.replace("/begun/", "/pieces/") for key in begun] == pieces(service, job_id), order
        task = task_of(service, job_id)
        assert (task.status, task.given_back) == (TaskStatus.QUEUED, number + 1)
    # And the next start goes on where the last one stopped
    service.start()
    assert service.until_ended(job_id).status is JobStatus.COMPLETED
    storage = Storage(service.settings.storage)
    made_by = [storage.get(key) for key in pieces(service, job_id)]
    assert len(made_by) == 12
    assert made_by == sorted(made_by)
    assert len(set(made_by)) > len(orders)


@embedded
def test_a_second_order_ends_the_grace_but_loses_no_attempt(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    # Given a service with a long grace, and a task that does not come to its next piece
    service.set(stop_grace_seconds=60, retry_delays=())
    supervisor = service.spawn()
    job_id = service.submit("hold the interpreter", "succeed")
    service.until(service.attempts)
    # When it is told to stop, and again when it is still there, longer after it has heard than both would be one order
    supervisor.terminate()
    said: list[str] = []
    service.until(lambda: said.append(capfd.readouterr().err) or '"event": "supervisor_stopping"' in "".join(said))
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.wait(2.5)
    supervisor.terminate()
    # Then it ends at once, with nothing left running, and the attempt was given back
    assert supervisor.wait(25) == 0
    assert not psutil.pid_exists(service.attempts()[0].pid)
    assert (task_of(service, job_id).status, task_of(service, job_id).given_back) == (TaskStatus.QUEUED, 1)


@distributed
def test_a_stop_while_a_result_waits_for_the_database_loses_no_attempt(service: Service, line: Proxy) -> None:
    # Given a task whose result waits for a database that is away, and one attempt to have
    service.set(retry_delays=(), stop_grace_seconds=1)
    service.start()
    job_id = service.submit("wait for the gate", "succeed")
    service.until(service.attempts)
    line.cut()
    service.gate.touch()
    away_until = time.monotonic() + 2.5
    service.until(lambda: time.monotonic() > away_until)
    # When the service is stopped, and the database is back while it is at that
    threading.Timer(1.5, line.mend).start()
    service.stop()
    # Then the attempt was given back
    task = task_of(service, job_id)
    assert (task.status, task.given_back) == (TaskStatus.QUEUED, 1)


@embedded
def test_a_worker_that_crashes_while_it_is_stopped_has_used_up_its_attempt(service: Service) -> None:
    # Given a task that takes no notice of a stop, with a long grace
    service.set(stop_grace_seconds=20, retry_delays=())
    supervisor = service.spawn()
    job_id = service.submit("sleep in C")
    service.until(service.attempts)
    # When its worker dies while it is being stopped
    supervisor.terminate()
    time.sleep(0.5)
    os.kill(service.attempts()[0].pid, signal.SIGSEGV)
    assert supervisor.wait(18) == 0
    # Then that was its attempt: it might do the same again
    job = service.job(job_id)
    assert job.error
    assert job.error.code == "worker_lost"


@pytest.mark.long
@embedded
def test_the_first_process_of_a_container_stops_as_gracefully_and_leaves_no_zombies(
    service: Service,
) -> None:
    # Given a supervisor that is process 1, as in a container without an init
    container = subprocess.Popen(
        [*CONTAINER, sys.executable, "-m", SUPERVISE, "1"],
        env=os.environ | service.settings.environment(),
        cwd=Path(__file__).parents[3],
    )
    try:
        job_id = service.submit("leave an orphan", "keep pieces")
        service.until(lambda: len(service.attempts()) == 2)
        (supervisor,) = psutil.Process(container.pid).children()
        # When a worker dies that had started a process of its own
        # Then nothing of that stays
        service.until(lambda: not zombies(supervisor))
        # And when it is told to stop
        supervisor.terminate()
        # Then it does, and the task goes back
        assert container.wait(20) == 0
        assert task_of(service, job_id).status is TaskStatus.QUEUED
    finally:
        container.kill()
        container.wait()


@pytest.mark.long
def test_speech_from_before_a_stop_is_not_spoken_again(tmp_path: Path) -> None:
    # Given a text that is being spoken, one sentence after the other, by a service that tries once
    settings = Settings(data_dir=tmp_path, retry_delays=())
    text = " ".join(f"This is sentence number {number}, and it is not a short one at all." for number in range(30))

    def spoken(service: LocalService) -> dict[str, float]:
        return dict(service.storage.keys("jobs")) if service.storage.exists("jobs") else {}

    with LocalService(settings, slots=1) as service:
        job_id = service.submit(NewJob(JobType.SYNTHESIZE, "en"), text).id
        with pytest.raises(_Enough):
            service.wait(job_id, lambda *_: _enough(sum("/speech/" in key for key in spoken(service)) >= 3))
    # When the service is stopped, and started again
    with LocalService(settings, slots=1) as service:
        before = {key: when for key, when in spoken(service).items() if "/speech/" in key}
        job = service.wait(job_id, lambda *_: None)
        after = {key: when for key, when in spoken(service).items() if "/speech/" in key}
    # Then the job completes, and what was there has been used as it was
    assert job.status is JobStatus.COMPLETED
    assert 3 <= len(before) < len(after) == 30
    assert before.items() <= after.items()


class _Enough(Exception):
    """It has come as far as it should."""


def _enough(far: bool) -> None:
    if far:
        raise _Enough
