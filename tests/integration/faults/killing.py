"""A deployment whose processes can be killed at any point, and what must be true of it afterwards."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pika
import sqlalchemy as sa
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.brokers.queues import dead_letters_of, real_name
from octavia.jobs.lifecycle import retention, submit
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, stored_input
from octavia.jobs.tables.rows import Artifact, Event, Job, OutboxMessage, Task
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, JobType, Queue, Stage
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.faults import points, stages
from tests.integration.faults.points import Point
from tests.integration.faults.stages import STAGES

ROOT = Path(__file__).parents[3]
WORK = (Queue.DEFAULT, Queue.TRANSCRIBE, Queue.TRANSLATE, Queue.SYNTHESIZE)
# Longer than a machine stalls, which must not look like a death.
LEASE = 6.0

QUICK: dict[str, Any] = {
    "lease_seconds": LEASE,
    "lease_renew_seconds": 0.4,
    "sweep_seconds": 0.2,
    "retry_delays": (0.2, 0.2, 0.2),
    "retry_jitter": 0,
    "stop_grace_seconds": 5,
    "worker_slots": 1,
    "log_level": "warning",
}
"""Settings that make everything happen soon."""


class Doomed:
    """Processes over one database, storage and broker; what dies is started again, as by a service manager.

    Attributes:
      prefix: A command that runs each process, such as one that gives it another clock.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.db = Database(settings.database)
        self.storage = Storage(settings.storage)
        self.prefix: tuple[str, ...] = ()
        self._folder = folder
        self._log = folder / "attempts.log"
        self._deaths = folder / "deaths"
        self._deaths.mkdir()
        self._doomed: list[Path] = []
        self._kept: dict[str, tuple[str, ...]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # Processes

    def start(self, queues: Sequence[Queue] = WORK) -> None:
        """Start a supervisor of workers, and keep it."""
        self.keep("supervisor", "supervisor", ",".join(queues))

    def keep(self, name: str, *what: str) -> None:
        """Start a process, and again whenever it has ended."""
        self._kept[name] = what
        self._revive()

    def spawn(self, name: str, *what: str, module: str = "doomed") -> subprocess.Popen[bytes]:
        """Start a process, once."""
        environment = {**self.settings.environment(), points.FOLDER: str(self._deaths), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", f"tests.integration.faults.{module}", *what],
            env=os.environ | environment,
            cwd=ROOT,
        )
        self._processes[name] = process
        return process

    def stop(self, grace: float = 20.0) -> None:
        """End every process as an operator would."""
        self._kept.clear()
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def close(self) -> None:
        """Leave nothing behind."""
        self.stop()
        self.db.close()

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Keep the processes until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            self._revive()
            time.sleep(0.05)

    def _revive(self) -> None:
        for name, what in self._kept.items():
            process = self._processes.get(name)
            if process is None or process.poll() is not None:
                self.spawn(name, *what)

    # Jobs

    def doom(self, point: Point, job_id: UUID | None = None, stage: Stage | None = None) -> None:
        """Have the first process die that gets there."""
        self._doomed.append(points.doom(self._deaths, point, job_id, stage))

    def died(self) -> bool:
        """Whether everybody has died who was to."""
        return all(points.died(trace) for trace in self._doomed)

    def submit(
        self,
        deaths: Mapping[Stage, Point] | None = None,
        *,
        chunks: int = 1,
        webhook_url: str | None = None,
        **meta: Any,
    ) -> UUID:
        """Submit a recording to be dubbed, as the API does, that costs workers their lives."""
        job_id = uuid7()
        for stage, point in (deaths or {}).items():
            self.doom(point, job_id, stage)
        stored = self.storage.put(f"jobs/{job_id}/input/talk.wav", b"RIFF, as far as anybody looks")
        new = NewJob(
            JobType.DUB,
            source_language="en",
            target_language="es",
            input=stored_input("media", stored, filename="talk.wav", media_type="audio/wav"),
            meta={"chunks": chunks, "log": str(self._log), **meta},
            webhook_url=webhook_url,
        )
        return submit.create(self.db, new, job_id=job_id).id

    def job(self, job_id: UUID) -> JobRecord:
        return queries.get(self.db, job_id, "local")

    def begun(self, job_id: UUID) -> Counter[tuple[Stage, int]]:
        """How often each of a job's tasks was begun."""
        lines = self._begun_lines()
        return Counter((Stage(stage), int(chunk)) for job, stage, chunk, *_ in lines if job == str(job_id))

    def workers_of(self, *jobs: UUID) -> set[int]:
        """The processes that have worked on these jobs."""
        return {int(pid) for job, *_, pid in self._begun_lines() if UUID(job) in jobs}

    def _begun_lines(self) -> list[list[str]]:
        return [line.split() for line in self._log.read_text().splitlines()] if self._log.exists() else []

    def until_completed(self, *jobs: UUID, seconds: float = 60) -> None:
        self.until(lambda: all(self.job(job_id).status.ended for job_id in jobs), seconds)
        for job_id in jobs:
            job = self.job(job_id)
            assert job.status is JobStatus.COMPLETED, job.error

    def attempts(self, job_id: UUID) -> dict[tuple[Stage, int], int]:
        """How many attempts of each of a job's tasks count."""
        with self.db.reading() as session:
            rows = session.scalars(sa.select(Task).where(col(Task.job_id) == job_id))
            return {(task.stage, task.chunk): task.attempt - task.given_back for task in rows}

    def unsent(self) -> int:
        """Messages that were not published, or not marked so."""
        with self.db.reading() as session:
            unsent = sa.select(sa.func.count()).where(col(OutboxMessage.published_at).is_(None))
            return session.scalars(unsent.select_from(OutboxMessage)).one()

    # What must be true in the end

    def check(self, *jobs: UUID) -> None:
        """Everything of these jobs, which have completed, is there, once; of nothing there is anything left over."""
        # A job has completed before the one that completed it dies, if that is to be before it acknowledges.
        self.until(self.died)
        self.until(lambda: self.unsent() == 0, LEASE + 30)
        if self.settings.embedded:
            self.stop()
        else:
            self._empty_the_queues()
        for job_id in jobs:
            self._check_job(job_id)
        self.check_files()

    def _empty_the_queues(self) -> None:
        """Stop, with every message acknowledged.

        What one had who died is delivered once more, maybe not before the queues are looked at; and one who stops gives
        back what it has not begun. So there may be a message left, for which the same processes start again.
        """
        kept = dict(self._kept)
        for _ in range(3):
            self.until(lambda: self.depths() == {})
            self.stop()
            if not (left := self.depths()):
                return
            for name, what in kept.items():
                self.keep(name, *what)
        raise AssertionError(f"nobody acknowledges what is left: {left}")

    def _check_job(self, job_id: UUID) -> None:
        chunks = self.job(job_id).chunks_total or 0
        with self.db.reading() as session:
            artifacts = session.scalars(sa.select(Artifact).where(col(Artifact.job_id) == job_id)).all()
            events = session.scalars(sa.select(Event).where(col(Event.job_id) == job_id).order_by(col(Event.seq))).all()
        tasks = {(stage, WHOLE_JOB) for stage in (Stage.PREPARE, Stage.ASSEMBLE)}
        tasks |= {(stage, chunk) for stage in STAGES[1:-1] for chunk in range(chunks)}
        named = Counter((row.stage, row.chunk, row.name) for row in artifacts)
        files = {(*task, "transcript.txt" if task[0] is Stage.ASSEMBLE else "made.txt") for task in tasks}
        assert named == Counter(files | {(*task, "notes.txt") for task in tasks})
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        done = Counter(
            (Stage(event.data["stage"]), event.data["chunk"])
            for event in events
            if event.type == "stage" and event.data["status"] == "completed"
        )
        assert done == Counter(tasks)
        assert [event.type for event in events if event.type in ("completed", "failed", "canceled")] == ["completed"]
        for row in artifacts:
            data = self.storage.get(row.storage_key)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (row.size, row.sha256)
        (published,) = [row for row in artifacts if row.revision]
        assert self.storage.get(published.storage_key) == stages.result(chunks)

    def check_files(self) -> None:
        """After a sweep there are just the files that rows name."""
        retention.sweep_orphans(self.db, self.storage, min_age=-1)
        with self.db.reading() as session:
            named = set(session.scalars(sa.select(col(Artifact.storage_key))))
            named |= {given["key"] for given in session.scalars(sa.select(col(Job.input))) if "key" in given}
        assert {key for key, _ in self.storage.keys("jobs")} == named

    def depths(self) -> dict[str, int]:
        """The queues that hold anything, dead letters too; nobody may be connected, so nothing is unacknowledged."""
        found: dict[str, int] = {}
        with pika.BlockingConnection(pika.URLParameters(self.settings.broker_url)) as connection:
            for queue in Queue:
                name = real_name(self.settings.queue_prefix, queue)
                for each in (name, dead_letters_of(name)):
                    if depth := _depth(connection, each):
                        found[each] = depth
        return found


def _depth(connection: Any, name: str) -> int:
    channel = connection.channel()
    try:
        return int(channel.queue_declare(name, passive=True).method.message_count)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code != 404:
            raise
        return 0


@contextmanager
def doomed(folder: Path, database_url: str, broker_url: str = "", **values: Any) -> Iterator[Doomed]:
    """A deployment; nothing of it runs yet. Without a broker it is embedded."""
    settings = Settings(
        data_dir=folder,
        database_url=database_url,
        broker_url=broker_url,
        queue_prefix=f"kill-{uuid4().hex[:12]}",
        **{**QUICK, **values},
    )
    deployment = Doomed(settings, folder)
    try:
        yield deployment
    finally:
        deployment.close()
