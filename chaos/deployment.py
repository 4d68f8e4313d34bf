"""The deployment to break: private, on free ports, in one folder, with two of each of Octavia's processes."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx
import psutil
import sqlalchemy as sa
from sqlmodel import col

from chaos.keeping import Keeping
from chaos.orders import LONGEST_CHUNK
from chaos.postgres import Postgres
from chaos.proxy import Proxy
from octavia import programs
from octavia.errors import Unavailable
from octavia.jobs.access import keys
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.rows import Task, Worker
from octavia.jobs.tables.states import Queue, TaskStatus
from octavia.settings import Settings
from octavia.worker import processes
from octavia.worker.processes import KeptProcess
from rabbitmq.node import Node, Ports
from rabbitmq.ports import free_ports

T = TypeVar("T")

ATTEMPTS = 10
LEASE_SECONDS = 6.0
CHILDREN = len(Queue)
"""Worker processes of one supervisor: one per queue."""

_OWNERS = ("ada", "blaise", "charles")
_DATABASE = "octavia"
_READY_WITHIN = 120.0
_STOPS_WITHIN = 30.0
_PATIENCE = 60.0
_CHILD = "octavia.worker.child"


class DeploymentError(Exception):
    """The deployment did not become ready."""


class Deployment:
    """RabbitMQ and PostgreSQL behind proxies, two APIs, two worker supervisors, two schedulers, and one storage folder.

    Use it as ``with Deployment(folder) as deployment``; at the end all its processes have ended.

    Attributes:
      settings: The settings of Octavia's processes, with database and broker behind the proxies.
      database: The database, not through the proxy.
      api_keys: Those of the jobs' owners, once it has begun.
      storage: The storage folder: a symbolic link, so that it can be taken away in one step.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.logs = folder / "logs"
        ports = iter(free_ports(8))
        self.node = Node(folder / "rabbitmq", Ports(*islice(ports, 5)), output=self.logs / "rabbitmq.log")
        self.postgres = Postgres(folder / "postgres", next(ports))
        self.database = Database(self.postgres.url(_DATABASE), pool_size=5)
        self.broker_line = Proxy(self.node.ports.amqp)
        self.database_line = Proxy(self.postgres.port)
        self.settings = Settings(
            data_dir=folder / "data",
            database_url=self.postgres.url(_DATABASE, self.database_line.port),
            broker_url=self.node.url.replace(f":{self.node.ports.amqp}/", f":{self.broker_line.port}/"),
            storage_url=f"file://{self.storage}",
            queue_prefix=f"chaos-{folder.name}",
            host="127.0.0.1",
            auth="keys",
            chunk_seconds=LONGEST_CHUNK,
            log_format="console",
            lease_seconds=LEASE_SECONDS,
            lease_renew_seconds=1,
            sweep_seconds=1,
            repair_seconds=5,
            retry_delays=(1.0, 1.0, 2.0, 2.0, *(3.0,) * (ATTEMPTS - 5)),
            stop_grace_seconds=5,
            worker_slots=1,
        )
        self.ports = {"api-1": next(ports), "api-2": next(ports)}
        self._processes = {
            **{
                name: self._octavia(name, "serve", "--no-workers", "--port", str(self.ports[name]))
                for name in self.ports
            },
            **{name: self._octavia(name, "worker") for name in ("worker-1", "worker-2")},
            **{name: self._octavia(name, "scheduler") for name in ("scheduler-1", "scheduler-2")},
        }
        self.api_keys: list[str] = []
        self._keeping = Keeping()
        self._open = ExitStack()

    def __enter__(self) -> "Deployment":
        with ExitStack() as opened:
            opened.enter_context(self._keeping)
            opened.callback(self.database.close)
            opened.enter_context(self.broker_line)
            opened.enter_context(self.database_line)
            opened.callback(self._keeping.call, self._end)
            self._keeping.call(self._begin)
            self.until(self.node.ready, "RabbitMQ")
            self._keeping.call(self._start)
            for url in self.urls:
                self.until(partial(answers, f"{url}/readyz"), url)
            for name in self.workers:
                self.until(partial(self.complete, name), name)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of the APIs."""
        return tuple(f"http://127.0.0.1:{port}" for port in self.ports.values())

    @property
    def workers(self) -> tuple[str, ...]:
        """The names of the worker supervisors."""
        return tuple(name for name in self._processes if name.startswith("worker"))

    @property
    def schedulers(self) -> tuple[str, ...]:
        """The names of the schedulers."""
        return tuple(name for name in self._processes if name.startswith("scheduler"))

    def pid(self, name: str) -> int | None:
        """The process id of one of Octavia's processes while it runs."""
        return self._processes[name].pid

    def process(self, name: str) -> psutil.Process | None:
        """One of Octavia's processes, if it runs."""
        pid = self.pid(name)
        try:
            return psutil.Process(pid) if pid else None
        except psutil.NoSuchProcess:
            return None

    def children(self, name: str) -> list[psutil.Process]:
        """The worker processes of a supervisor."""
        supervisor = self.process(name)
        try:
            found = supervisor.children() if supervisor else []
        except psutil.NoSuchProcess:
            return []
        return [child for child in found if _is_child(child)]

    def complete(self, name: str) -> bool:
        """Return True if a supervisor has all its worker processes."""
        return len(self.children(name)) == CHILDREN

    def serves(self, name: str) -> bool:
        """Return True if an API answers, even if the services that it needs do not."""
        return answers(f"http://127.0.0.1:{self.ports[name]}/healthz")

    def all_processes(self) -> list[psutil.Process]:
        """Octavia's processes and all their descendants."""
        roots = [process for name in self._processes if (process := self.process(name))]
        found = list(roots)
        for root in roots:
            try:
                found += root.children(recursive=True)
            except psutil.NoSuchProcess:
                continue
        return found

    def busy_pids(self) -> set[int]:
        """The ids of the worker processes that have a task in hand, by the database."""
        with self.database.reading() as session:
            at_work = sa.select(col(Worker.pid)).join(Task, col(Task.worker) == col(Worker.id))
            return set(session.scalars(at_work.where(col(Task.status) == TaskStatus.RUNNING)))

    def clock(self) -> datetime | None:
        """The time by the database's clock; None while the database does not answer."""
        try:
            with self.database.reading() as session:
                return now(session)
        except Unavailable:
            return None

    def progressed(self, since: datetime) -> bool:
        """Return True if a task has been both begun and completed since then, by the database."""
        try:
            with self.database.reading() as session:
                done = col(Task.status) == TaskStatus.COMPLETED
                fresh = sa.select(col(Task.id)).where(done, col(Task.started_at) > since)
                return session.scalars(fresh.limit(1)).first() is not None
        except Unavailable:
            return False

    def patiently(self, look: Callable[[], T]) -> T:
        """Call ``look`` again while a fault keeps the database from answering, for a minute at most."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return look()
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = _READY_WITHIN) -> None:
        """Wait for a condition.

        Parameters:
          what: Names it in the error.

        Raises:
          DeploymentError: It does not hold within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise DeploymentError(f"Not within {seconds:.0f} s: {what}.")
            time.sleep(0.1)

    def stop_octavia(self) -> list[str]:
        """Stop Octavia's processes in good order, for good; returns the names of those that had to be killed."""
        return [kept.name for kept in self._keeping.call(self._stop)]

    def _octavia(self, name: str, *arguments: str) -> KeptProcess:
        # A limit on the size of files, which is one of the faults, stops the logs as well: those lines are lost.
        return KeptProcess(
            name,
            programs.module("octavia", *arguments),
            env=self.settings.environment(),
            output=self.logs / f"{name}.log",
        )

    def _begin(self) -> None:
        store = self.folder / "store"
        store.mkdir(parents=True)
        self.storage.symlink_to(store)
        self._keeping.kept += [self.node, self.postgres]
        self.node.start()
        self.postgres.start()
        self.postgres.execute(f"CREATE DATABASE {_DATABASE}")
        self.database.upgrade()
        rights = (keys.Scope.READ, keys.Scope.WRITE)
        self.api_keys = [keys.create(self.database, owner, owner=owner, scopes=rights)[1] for owner in _OWNERS]

    def _start(self) -> None:
        for kept in self._processes.values():
            kept.start()
        self._keeping.kept += self._processes.values()

    def _stop(self) -> list[KeptProcess]:
        for kept in self._processes.values():
            if kept in self._keeping.kept:
                self._keeping.kept.remove(kept)
        return processes.stop(list(self._processes.values()), _STOPS_WITHIN)

    def _end(self) -> None:
        self._stop()
        self._keeping.kept.clear()
        self.node.stop(grace=0)
        self.postgres.stop()


def answers(url: str) -> bool:
    """Return True if a GET is answered with 200."""
    try:
        return httpx.get(url, timeout=10).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _is_child(process: psutil.Process) -> bool:
    try:
        return _CHILD in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
