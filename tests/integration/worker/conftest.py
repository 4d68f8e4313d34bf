"""A supervisor with real worker processes over each broker and database, driven from the test."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from chaos.proxy import Proxy
from octavia.jobs.lifecycle import submit
from octavia.jobs.status import workers
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, WorkerRecord
from octavia.jobs.tables.states import JobStatus, JobType, Priority, Queue
from octavia.settings import Settings
from octavia.worker.supervisor import Supervisor
from rabbitmq.node import Node
from tests.integration.worker.commands import CHILD, WORK
from tests.support.postgres import PrivatePostgres

_ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED)


@dataclass(frozen=True)
class Attempt:
    """One line of the actors' log."""

    job_id: UUID
    stage: str
    chunk: int
    number: int
    pid: int


class Service:
    """One deployment: its settings, its database, and the supervisor while it runs.

    Attributes:
      gate: The file that "wait for the gate" waits for.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.db = Database(settings.database)
        self.gate = folder / "gate"
        self._log = folder / "attempts.log"
        self._supervisor: Supervisor | None = None
        self._spawned: list[subprocess.Popen[bytes]] = []

    def for_test(self, folder: Path) -> "Service":
        """The same deployment, with the attempts and the gate of the jobs that are submitted by what is returned."""
        view = copy(self)
        view.gate, view._log = folder / "gate", folder / "attempts.log"
        return view

    def set(self, **values: Any) -> None:
        """Change settings before the supervisor starts."""
        self.settings = self.settings.model_copy(update=values)

    def start(self, slots: int = 1, queues: Sequence[Queue] = WORK) -> None:
        """Start the workers; those of maintenance, with ``queues=QUEUES``, are one or two processes more."""
        self._supervisor = Supervisor(self.settings, queues, slots, command=CHILD)
        self._supervisor.start()

    def stop(self, grace: float | None = None) -> None:
        if self._supervisor:
            self._supervisor.stop(grace)
            self._supervisor = None

    def spawn(self, slots: int = 1, *, host: str | None = None) -> "subprocess.Popen[bytes]":
        """Start a supervisor in a process and a process group of its own, and wait until its workers are ready.

        Parameters:
          host: The name of the host that it takes itself to be on; None: this one's.
        """
        before = {worker.id for worker in self.ready()}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.worker.supervise", str(slots)],
            env=os.environ | self.settings.environment() | {"TEST_HOST": host or socket.gethostname()},
            cwd=Path(__file__).parents[3],
            process_group=0,
        )
        self._spawned.append(process)
        count = slots if self.settings.embedded else slots * len(WORK)
        self.until(lambda: len({worker.id for worker in self.ready()} - before) == count)
        return process

    def ready(self) -> list[WorkerRecord]:
        """The worker processes that have come up: these say how much memory they use."""
        return [worker for worker in workers.list_workers(self.db) if worker.memory]

    def close(self) -> None:
        """End everything at once."""
        self.stop(0)
        for process in self._spawned:
            process.kill()
            process.wait()
        self.db.close()

    def submit(
        self, *acts: str, chunks: int = 1, priority: Priority = Priority.NORMAL, webhook_url: str | None = None
    ) -> UUID:
        new = NewJob(
            JobType.TRANSCRIBE,
            source_language="en",
            priority=priority,
            input={"kind": "media"},
            meta={"chunks": chunks, "log": str(self._log), "gate": str(self.gate), "acts": acts or ("succeed",)},
            webhook_url=webhook_url,
        )
        return submit.create(self.db, new).id

    def job(self, job_id: UUID) -> JobRecord:
        return queries.get(self.db, job_id, "local")

    def attempts(self, stage: str = "transcribe") -> list[Attempt]:
        """What the actors have begun, in order."""
        if not self._log.exists():
            return []
        lines = (line.split() for line in self._log.read_text().splitlines())
        found = [Attempt(UUID(job), name, int(chunk), int(number), int(pid)) for job, name, chunk, number, pid in lines]
        return [attempt for attempt in found if attempt.stage == stage]

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Supervise until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            if self._supervisor:
                self._supervisor.poll(0.05)
            else:
                time.sleep(0.05)

    def until_ended(self, job_id: UUID, seconds: float = 60) -> JobRecord:
        self.until(lambda: self.job(job_id).status in _ENDED, seconds)
        return self.job(job_id)


def _broker(request: pytest.FixtureRequest, kind: str) -> str:
    node: Node | None = None if kind == "embedded" else request.getfixturevalue("rabbitmq")
    return node.url if node else ""


def _quick(folder: Path, database_url: str, broker_url: str, **more: Any) -> Settings:
    return Settings(
        data_dir=folder,
        database_url=database_url,
        broker_url=broker_url,
        queue_prefix=f"test-{uuid4().hex[:12]}",
        lease_seconds=4,
        lease_renew_seconds=0.5,
        sweep_seconds=0.5,
        retry_delays=(0.2, 0.2, 0.2),
        stop_grace_seconds=5,
        **more,
    )


@pytest.fixture(scope="module", params=["embedded sqlite", "rabbitmq postgresql"])
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A deployment that runs, for all tests of a file that change nothing about it."""
    broker, database = request.param.split()
    folder = tmp_path_factory.mktemp("standing")
    if database == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), folder / 'octavia.db')}"
    else:
        server: PrivatePostgres = request.getfixturevalue("postgres")
        url = server.url(server.create(request.getfixturevalue("postgres_template")))
    with closing(Service(_quick(folder, url, _broker(request, broker)), folder)) as service:
        service.start()
        yield service


@pytest.fixture
def running(standing: Service, tmp_path: Path) -> Service:
    """A deployment that runs; its jobs, attempts and gate are this test's own."""
    return standing.for_test(tmp_path)


@pytest.fixture(params=["embedded sqlite", "rabbitmq postgresql"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A deployment that is quick to retry; start it with ``start``."""
    broker, database = request.param.split()
    url: str = request.getfixturevalue("sqlite_url" if database == "sqlite" else "postgres_url")
    settings = _quick(tmp_path, url, _broker(request, broker), queue_type="quorum" if broker == "quorum" else "classic")
    with closing(Service(settings, tmp_path)) as service:
        yield service


@pytest.fixture
def line(service: Service, postgres: PrivatePostgres) -> Iterator[Proxy]:
    """The line between workers and database; the test itself does not use it."""
    with Proxy(postgres.port) as proxy:
        service.set(database_url=service.settings.database.replace(f":{postgres.port}/", f":{proxy.port}/"))
        yield proxy
        proxy.mend()
        service.stop(0)
