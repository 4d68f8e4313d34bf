"""A worker in the process of a command: it does its tasks, stops, and gives up what never ends."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from octavia.brokers.queues import TaskBroker
from octavia.cli.local.execute import _forget_workers
from octavia.errors import OctaviaError, TimeLimitExceeded
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, Plan
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import JobStatus, JobType, Stage, TaskStatus
from octavia.local import LocalService
from octavia.middleware.process import Process
from octavia.middleware.stages import declare_stages
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work
from octavia.worker.inline import InlineWorker
from tests.integration.jobs.steps import Steps
from tests.support.waiting import until

Stages = dict[Stage, Callable[[Work], None]]


class Command:
    """What a command has: settings around a folder, its database, and a job whose recording has no chunks."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, stop_grace_seconds=5, retry_delays=(0.0,), retry_jitter=0)
        self.db = Database.of(self.settings)
        self.db.upgrade()
        self.released = threading.Event()
        self.begun = threading.Event()

    def worker(self, **changes: float) -> InlineWorker:
        """A worker whose first stage hangs until ``released``, as native code may."""

        def hang(work: Work) -> None:
            self.begun.set()
            assert self.released.wait(60)
            plan(work)

        return self.worker_of({Stage.PREPARE: hang, Stage.ASSEMBLE: lambda work: None}, **changes)

    def worker_of(self, stages: Stages, **changes: float) -> InlineWorker:
        def declare(broker: TaskBroker, process: Process, settings: Settings) -> None:
            declare_stages(broker, process, stages)

        settings = self.settings.model_copy(update=changes)
        return InlineWorker(settings, self.db, Storage(settings.storage), declare)

    def submit(self) -> JobRecord:
        return Steps(self.db).submit(JobType.TRANSCRIBE)

    def job(self, submitted: JobRecord) -> JobRecord:
        return queries.get(self.db, submitted.id, submitted.owner)

    def first(self) -> Task:
        """The first task, as it is now."""
        with self.db.reading() as session:
            return session.query(Task).filter_by(stage=Stage.PREPARE).one()


def plan(work: Work) -> None:
    """Plan a job without chunks."""
    work.plan = Plan((), 0.0, "en", {}, ())


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command.released.set()
    command.db.close()


def turn(worker: InlineWorker) -> None:
    """What a command does again and again."""
    worker.poll(0.05)
    worker.check()


def test_a_text_is_translated_without_another_process(tmp_path: Path) -> None:
    # Given a command that needs no worker process
    before = psutil.Process().children(recursive=True)
    seen: list[psutil.Process] = []
    with LocalService(Settings(data_dir=tmp_path / "data"), slots=0) as service:
        for number, (text, expected) in enumerate([("Good morning.", "Buenos días."), ("Thank you.", "Gracias.")]):
            # When a text is translated, and another after it
            job = service.submit(NewJob(JobType.TRANSLATE, "en", "es"), text)
            ended = service.wait(job.id, lambda *_: seen.extend(psutil.Process().children(recursive=True)))
            service.export(ended.id, tmp_path / str(number))
            # Then its translation is there, and no process was started for it
            assert ended.status is JobStatus.COMPLETED, ended.error
            assert (tmp_path / str(number) / "translation.txt").read_text().strip() == expected
            assert set(seen) <= set(before)


def test_a_failed_attempt_is_tried_again(command: Command) -> None:
    # Given a task whose first attempt fails
    tries: list[int] = []

    def fail_once(work: Work) -> None:
        tries.append(work.claim.attempt)
        if len(tries) == 1:
            raise RuntimeError("once")
        plan(work)

    worker = command.worker_of({Stage.PREPARE: fail_once, Stage.ASSEMBLE: lambda work: None})
    job = command.submit()
    worker.start()
    try:
        # When the worker goes on, then the second one does it
        until(lambda: turn(worker) or command.job(job).status is JobStatus.COMPLETED)
        assert tries == [1, 2]
    finally:
        worker.stop(5)


def test_code_that_never_returns_ends_the_command(command: Command) -> None:
    # Given a task in native code that does not return within its hard limit
    worker = command.worker(soft_limit_seconds=0.1, hard_limit_seconds=0.3)
    command.submit()
    worker.start()
    # When the limit has passed, then the command hears of it
    with pytest.raises(TimeLimitExceeded):
        until(lambda: turn(worker))
    # And the task is not waited for any longer, and free for the next command
    worker.stop(600)
    assert command.first().status is TaskStatus.QUEUED


def test_a_stop_gives_the_attempt_back(command: Command) -> None:
    # Given a task that looks between its pieces whether it should stop
    def work_on(work: Work) -> None:
        command.begun.set()
        while not command.released.wait(0.01):
            work.checkpoint(0.0)

    worker = command.worker_of({Stage.PREPARE: work_on})
    command.submit()
    worker.start()
    until(command.begun.is_set)
    # When the command is interrupted
    worker.stop(60)
    # Then it is queued again, and its attempt does not count
    task = command.first()
    assert (task.status, task.attempt, task.given_back) == (TaskStatus.QUEUED, 1, 1)


def test_a_stop_does_not_wait_for_ever(command: Command) -> None:
    # Given a task that does not stop
    worker = command.worker()
    job = command.submit()
    worker.start()
    until(command.begun.is_set)
    # When the command has waited as long as it may, then the attempt is given back
    worker.stop(0.0)
    assert command.first().status is TaskStatus.QUEUED
    # And the next command does it, whatever the thread of this one does later
    again = command.worker_of({Stage.PREPARE: plan, Stage.ASSEMBLE: lambda work: None})
    again.start()
    until(lambda: turn(again) or command.job(job).status is JobStatus.COMPLETED)
    command.released.set()
    again.stop(5)
    assert command.job(job).status is JobStatus.COMPLETED


def test_the_task_of_a_killed_command_is_done_by_the_next(command: Command) -> None:
    # Given a command that was killed in the middle of a task: its lease is not over
    command.worker().start()
    job = command.submit()
    until(command.begun.is_set)
    assert command.first().status is TaskStatus.RUNNING
    # When the same command is given again
    _forget_workers(command.settings)
    worker = command.worker_of({Stage.PREPARE: plan, Stage.ASSEMBLE: lambda work: None})
    worker.start()
    # Then it does not wait for that lease
    until(lambda: turn(worker) or command.job(job).status is JobStatus.COMPLETED, 20)
    worker.stop(5)


def test_a_thread_that_has_died_ends_the_command(command: Command) -> None:
    # Given a worker whose thread ends by a fault
    worker = command.worker_of({Stage.PREPARE: plan})
    worker.start()
    for thread in worker._worker.workers:
        thread.stop()
    # When it is looked at, then that is told
    with pytest.raises(OctaviaError) as told:
        until(lambda: turn(worker))
    assert told.value.code == "workers_failing"
    worker.stop(5)
