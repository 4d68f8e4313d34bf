"""Releases that come and go while jobs are worked on: nothing of that is to be seen from outside."""

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import dramatiq
import psutil
import pytest
import sqlalchemy as sa
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims, outbox, repair
from octavia.jobs.tables import events, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import NewJob, TaskRef, stored_input
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import JobStatus, JobType, Queue, Stage, TaskStatus
from octavia.storage import Storage
from octavia.worker.supervisor import Supervisor
from tests.integration.jobs.steps import Steps
from tests.integration.worker.commands import CHILD
from tests.integration.worker.conftest import Service

ROOT = Path(__file__).parents[3]
PREVIOUS = "35aab94"
"""The commit that stands for the release before this one; its workers must go on beside ours."""

NEXT_CHILD = (sys.executable, "-m", "tests.integration.worker.next_child")
distributed = pytest.mark.parametrize("service", ["rabbitmq postgresql"], indirect=True)


def check_calm(service: Service, job_id: UUID, chunks: int) -> None:
    """See that a job was completed and that nobody who watched it has noticed anything."""
    job = service.job(job_id)
    assert job.status is JobStatus.COMPLETED, job.error
    told = events.since(service.db, job_id, 0, 1000)
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    stages = [event.data for event in told if event.type == "stage"]
    assert {data["status"] for data in stages} == {"started", "completed"}
    assert {data["attempt"] for data in stages} == {1}
    completed = [(data["stage"], data["chunk"]) for data in stages if data["status"] == "completed"]
    assert sorted(completed) == sorted(
        [("prepare", -1), *(("transcribe", chunk) for chunk in range(chunks)), ("assemble", -1)]
    )
    assert [event.type for event in told].count("completed") == 1
    names = [artifact.name for artifact in queries.artifacts(service.db, job_id)]
    assert names == ["transcript.txt"]


def roll(service: Service, rounds: int, jobs: int) -> list[UUID]:
    """Replace a service's only supervisor again and again while jobs keep coming; returns these."""
    old, submitted = service.spawn(), []
    for _ in range(rounds):
        submitted += [service.submit("work a little", chunks=2) for _ in range(jobs // 2)]
        new = service.spawn()
        # Both have plenty to do when one of them has to go.
        submitted += [service.submit("work a little", chunks=2) for _ in range(jobs - jobs // 2)]
        service.until(lambda old=old, submitted=submitted: is_busy(service, old, submitted))
        old.send_signal(signal.SIGTERM)
        assert old.wait(20) == 0
        old = new
    return submitted


@distributed
def test_a_rolling_restart_is_not_to_be_seen(service: Service) -> None:
    # Given a service with one attempt for each task
    service.set(retry_delays=())
    # When its workers are replaced twice under load, the new ones coming up before the old ones go
    submitted = roll(service, rounds=2, jobs=10)
    # Then every job completes, each task once, and each result is there once
    for job_id in submitted:
        service.until_ended(job_id, 120)
        check_calm(service, job_id, chunks=2)


def is_busy(service: Service, supervisor: "subprocess.Popen[bytes]", submitted: list[UUID]) -> bool:
    """Whether it has something in hand. If all was done before anybody looked, there is another job."""
    if all(service.job(job_id).status.ended for job_id in submitted):
        submitted.append(service.submit("work a little", chunks=2))
    return held_by(service, supervisor)


def held_by(service: Service, supervisor: "subprocess.Popen[bytes]") -> bool:
    """Whether one of its processes is in the middle of a chunk: there is something to lose."""
    pids = {str(child.pid) for child in psutil.Process(supervisor.pid).children()}
    running = [task for task in tasks(service) if task.status is TaskStatus.RUNNING and task.stage is Stage.TRANSCRIBE]
    return any((task.worker or "").split(":")[1] in pids for task in running)


@pytest.mark.long
def test_a_restart_without_overlap_is_not_to_be_seen_either(service: Service) -> None:
    # Given a service with one attempt for each task, and a load that lasts
    service.set(retry_delays=(), recycle_tasks=20)
    submitted = [service.submit("work a little", chunks=3) for _ in range(30)]
    # When it is stopped and started again, six times, and its workers are recycled all the while
    for _ in range(6):
        supervisor = service.spawn(2)
        time.sleep(2)
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(20) == 0
    service.start(2)
    # Then every job completes, each task once, and each result is there once
    for job_id in submitted:
        service.until_ended(job_id, 300)
        check_calm(service, job_id, chunks=3)


@pytest.mark.parametrize(
    ("service", "bound"),
    [
        ("embedded sqlite", {"recycle_tasks": 2}),
        pytest.param("rabbitmq postgresql", {"recycle_memory_mb": 1}, marks=pytest.mark.long),
        pytest.param("embedded sqlite", {"recycle_memory_mb": 1}, marks=pytest.mark.long),
        pytest.param("rabbitmq postgresql", {"recycle_tasks": 2}, marks=pytest.mark.long),
    ],
    indirect=["service"],
)
def test_a_worker_is_replaced_when_it_has_done_enough_or_has_grown(service: Service, bound: dict[str, int]) -> None:
    # Given workers that are to be replaced after two tasks, or that are always too large
    service.set(**bound, retry_delays=())
    service.start()
    # When a job has six chunks
    job_id = service.submit(chunks=6)
    service.until_ended(job_id, 120)
    # Then no process has worked on more than two, or one, and it was not to be seen
    check_calm(service, job_id, chunks=6)
    attempts = [*service.attempts("prepare"), *service.attempts(), *service.attempts("assemble")]
    pids = [attempt.pid for attempt in attempts]
    assert max(pids.count(pid) for pid in pids) == bound.get("recycle_tasks", 1)


@distributed
def test_messages_of_the_next_release_wait_for_it(service: Service, tmp_path: Path) -> None:
    # Given workers of this release for the chunks, and of the next one for what concerns whole jobs
    mine = Supervisor(service.settings, [Queue.TRANSCRIBE], 1, command=CHILD)
    theirs = Supervisor(service.settings, [Queue.DEFAULT], 1, command=NEXT_CHILD)
    with both(mine, theirs) as poll:
        # When the next one's cut a job into chunks, in messages of its own format, and ask for what is new
        job_id = service.submit()
        log = tmp_path / "sung"
        song = dramatiq.Message("transcribe", "sing", (), {"log": str(log)}, {}).encode()
        with service.db.transaction() as session:
            outbox.add(session, Queue.TRANSCRIBE, 2, song)
        # Then ours let both wait, and call neither an attempt nor a dead letter
        wait(poll, lambda: len(postponed(service)) == 2)
        assert service.job(job_id).status is JobStatus.PROCESSING
        assert not service.attempts()
    theirs = Supervisor(service.settings, [Queue.TRANSCRIBE, Queue.DEFAULT], 1, command=NEXT_CHILD)
    mine = Supervisor(service.settings, [Queue.TRANSCRIBE], 1, command=CHILD)
    with both(mine, theirs) as poll:
        # And when there are workers of the next release beside ours, both are done, whoever got them first
        def all_done() -> bool:
            make_due(service)
            return log.exists() and service.job(job_id).status is JobStatus.COMPLETED

        wait(poll, all_done)
        check_calm(service, job_id, chunks=1)
        # And what ours understand is done by ours as well
    with both(Supervisor(service.settings, [Queue.TRANSCRIBE, Queue.DEFAULT], 1, command=CHILD)) as poll:
        job_id = service.submit()
        wait(poll, lambda: service.job(job_id).status is JobStatus.COMPLETED)


def test_a_stage_of_the_next_release_does_not_keep_others_from_being_looked_after(database: Database) -> None:
    # Given two tasks whose leases have ended, and two whose messages got lost; the first of each is of an unknown stage
    steps = Steps(database)
    jobs = [steps.submit() for _ in range(4)]
    for job in jobs[:2]:
        claims.claim(database, TaskRef(job.id, 1, -1, Stage.PREPARE), "w", lease=0)
    with database.transaction() as session:
        session.execute(sa.update(OutboxMessage).values(published_at=sa.func.now()))
        newer = sa.update(Task).values(stage=sa.literal_column("'sing'"))
        session.execute(newer.where(col(Task.job_id).in_([jobs[0].id, jobs[2].id])))
    # When leases and messages are looked after
    expired = claims.expire_leases(database, max_attempts=4)
    sent = repair.republish_unclaimed(database, queue_is_empty=lambda queue: True, after=0)
    # Then those that are known are brought back
    assert [ref.job_id for ref in expired] == [jobs[1].id]
    assert sent == 1


@distributed
def test_the_previous_release_works_on_beside_this_one(service: Service, previous: Path) -> None:
    # Given a database that a release after this one has migrated: what it adds is optional for others
    with service.db.transaction() as session:
        session.execute(sa.text("ALTER TABLE tasks ADD COLUMN mood TEXT"))
        session.execute(sa.text("ALTER TABLE jobs ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'"))
        session.execute(sa.text("CREATE TABLE moods (id INTEGER PRIMARY KEY)"))
        session.execute(sa.text("UPDATE alembic_version SET version_num = 'newer'"))
    service.db.check()
    # Then the previous release takes it for what it needs as well
    assert start(service, previous, "db", "check").wait(30) == 0
    # When its workers and ours share the queues until both have done their share; nobody renews a lease for a process
    # that has no supervisor and loads a model
    service.set(lease_seconds=60)
    ours = Supervisor(service.settings, [Queue.DEFAULT, Queue.TRANSLATE], 1)
    submitted: list[UUID] = []
    deadline = time.monotonic() + 90
    with beside(service, previous), both(ours) as poll:
        while min(shares(service).values()) < 3:
            submitted.append(submit_text(service))
            assert time.monotonic() < deadline, shares(service)
            wait(poll, lambda: len(submitted) - done(service, submitted) < 3)
        wait(poll, lambda: done(service, submitted) == len(submitted))
    # Then every job was completed in its first attempts, and nobody can tell whose work it is
    assert {task.attempt for task in tasks(service)} == {1}
    storage = Storage(service.settings.storage)
    texts = set()
    for job_id in submitted:
        (text,) = [one for one in queries.artifacts(service.db, job_id) if one.name == "translation.txt"]
        texts.add(storage.get(text.storage_key))
    assert len(texts) == 1
    assert len(texts.pop()) > 10


@pytest.mark.long
@distributed
def test_an_upgrade_under_load_is_not_to_be_seen(service: Service, previous: Path) -> None:
    # Given the previous release, as an operator starts it, and work that keeps coming
    submitted: list[UUID] = []
    old = start(service, previous, "worker", "--queues", "default,translate", "--slots", "1")
    new = None
    try:
        while done(service, submitted) < 5:
            submitted.append(submit_text(service))
            time.sleep(0.5)
        # When this release's workers come up, and the old ones go
        new = start(service, ROOT, "worker", "--queues", "default,translate", "--slots", "1")
        until = time.monotonic() + 15
        while time.monotonic() < until:
            submitted.append(submit_text(service))
            time.sleep(0.5)
        old.send_signal(signal.SIGTERM)
        assert old.wait(40) == 0
        submitted += [submit_text(service) for _ in range(5)]
        # Then all jobs complete, in attempts that count as the first ones
        service.until(lambda: done(service, submitted) == len(submitted), 120)
        assert {task.attempt - task.given_back for task in tasks(service)} == {1}
        new.send_signal(signal.SIGTERM)
        assert new.wait(40) == 0
    finally:
        for process in filter(None, (old, new)):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source tree of the previous release, with this one's models: a job stays with the one that it began with."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", PREVIOUS, "octavia", "migrations", "rabbitmq"], capture_output=True
    )
    if archive.returncode:
        pytest.fail(
            f"This test runs the code of commit {PREVIOUS} and needs the repository's history: "
            f"clone it whole, with git. {archive.stderr.decode(errors='replace').strip()}"
        )
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    catalog = Path("octavia", "catalog")
    shutil.copy(ROOT / catalog / "catalog.toml", folder / catalog)
    shutil.copytree(ROOT / catalog / "bundled", folder / catalog / "bundled", dirs_exist_ok=True)
    return folder


def start(service: Service, tree: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Run ``octavia`` from a source tree."""
    return subprocess.Popen([sys.executable, "-m", "octavia", *arguments], env=environment(service, tree), cwd=tree)


@contextmanager
def beside(service: Service, tree: Path) -> Iterator[None]:
    """One worker process of a source tree, and nobody who looks after it."""
    command = [sys.executable, "-m", "octavia.worker.child", "--slot", "previous", "--queues", "default,translate"]
    process = subprocess.Popen(command, env=environment(service, tree), cwd=tree)
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def environment(service: Service, tree: Path) -> dict[str, str]:
    """That of a process which takes its code from a source tree."""
    return {**os.environ, **service.settings.environment(), "PYTHONPATH": str(tree)}


@contextmanager
def both(*supervisors: Supervisor) -> Iterator[Callable[[], None]]:
    """Supervisors at work; what is given looks after all of them for a moment."""
    for supervisor in supervisors:
        supervisor.start()
    try:
        yield lambda: [supervisor.poll(0.03) for supervisor in supervisors] and None
    finally:
        for supervisor in supervisors:
            supervisor.stop()


def wait(poll: Callable[[], None], condition: Callable[[], object], seconds: float = 60) -> None:
    """Look after supervisors until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        poll()


def submit_text(service: Service) -> UUID:
    """A small job that needs no large model."""
    job_id = uuid7()
    stored = Storage(service.settings.storage).put(f"jobs/{job_id}/input/text.txt", b"The cat sleeps on the old chair.")
    given = stored_input("text", stored, filename="input.txt", media_type="text/plain")
    new = NewJob(JobType.TRANSLATE, source_language="en", target_language="es", input=given)
    return submit.create(service.db, new, job_id=job_id).id


def done(service: Service, submitted: Sequence[UUID]) -> int:
    """How many of these jobs are completed; none may have ended in another way."""
    found = [service.job(job_id) for job_id in submitted]
    assert not [job for job in found if job.status.ended and job.status is not JobStatus.COMPLETED]
    return sum(job.status.ended for job in found)


def tasks(service: Service) -> list[Task]:
    """All tasks that there are."""
    with service.db.reading() as session:
        return list(session.scalars(sa.select(Task)))


def shares(service: Service) -> dict[str, int]:
    """How many tasks were completed by which release."""
    finishers = [task.worker or "" for task in tasks(service) if task.status is TaskStatus.COMPLETED]
    previous = sum(":previous" in name for name in finishers)
    return {"previous": previous, "ours": len(finishers) - previous}


def postponed(service: Service) -> list[OutboxMessage]:
    """Messages that wait for a worker of the next release."""
    with service.db.reading() as session:
        waiting = sa.select(OutboxMessage).where(
            col(OutboxMessage.published_at).is_(None), col(OutboxMessage.not_before) > col(OutboxMessage.created_at)
        )
        return list(session.scalars(waiting))


def make_due(service: Service) -> None:
    """As if half a minute had passed."""
    with service.db.transaction() as session:
        waiting = sa.update(OutboxMessage).where(col(OutboxMessage.published_at).is_(None))
        session.execute(waiting.values(not_before=col(OutboxMessage.created_at)))
