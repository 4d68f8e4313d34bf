"""A deployment to break: workers under a supervisor in this process, an API in a process of its own, over HTTP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.tables.rows import Artifact, Task
from octavia.jobs.tables.states import JobStatus, Queue, TaskStatus
from octavia.settings import Settings
from octavia.worker.supervisor import Supervisor
from tests.integration.worker.commands import CHILD
from tests.integration.worker.conftest import Service

_FORM = {"type": "transcribe", "source_language": "en"}
_FILE = {"file": ("talk.wav", b"RIFF, as far as anybody looks", "audio/wav")}

QUICK: dict[str, Any] = {
    "lease_seconds": 8,
    "lease_renew_seconds": 0.5,
    "sweep_seconds": 0.5,
    "repair_seconds": 2,
    "retry_delays": (0.3, 0.3, 0.3),
    "retry_jitter": 0,
    "stop_grace_seconds": 5,
    "ready_queues": ("default", "transcribe"),
}
"""Settings that make everything happen soon."""


class Deployment(Service):
    """A service whose jobs come in over HTTP; their ``metadata`` says what the actors are to do."""

    def __init__(self, settings: Settings, folder: Path, command: Sequence[str] = CHILD) -> None:
        super().__init__(settings, folder)
        self._command = command
        self._api: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=30)

    def start(self, slots: int = 1) -> None:
        """Start the workers."""
        self._supervisor = Supervisor(self.settings, (Queue.DEFAULT, Queue.TRANSCRIBE), slots, command=self._command)
        self._supervisor.start()

    def start_api(self, prefix: Sequence[str] = ()) -> None:
        """Start the API and wait until it answers.

        Parameters:
          prefix: A command that runs it.
        """
        self._api = subprocess.Popen(
            [*prefix, sys.executable, "-m", "octavia", "serve", "--no-workers"],
            env=os.environ | self.settings.environment(),
        )
        self.until(self.answers, 60)

    def answers(self) -> bool:
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def api(self) -> psutil.Process:
        """The API's process."""
        assert self._api is not None
        return psutil.Process(self._api.pid)

    @property
    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        script = self._command[-1]
        found = []
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # servers have processes of their own, which come and go
                if script in child.cmdline():
                    found.append(child)
        return found

    def post(self, *acts: str, chunks: int = 1, size: int = 0, **more: Any) -> httpx.Response:
        """Submit a recording over HTTP, of ``size`` bytes if that matters."""
        meta = {"chunks": chunks, "log": str(self._log), "acts": acts or ("succeed",), **more}
        file = {"file": ("talk.wav", b"x" * size, "audio/wav")} if size else _FILE
        return self.client.post("/api/v1/jobs", data={**_FORM, "metadata": json.dumps(meta)}, files=file)

    def accepted(self, *acts: str, chunks: int = 1, size: int = 0, **more: Any) -> UUID:
        """Submit a recording, which is accepted."""
        answer = self.post(*acts, chunks=chunks, size=size, **more)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def until_accepted(self) -> UUID:
        """Submit a recording, as often as it takes: some connection may still have to notice that all is well."""
        accepted: list[httpx.Response] = []

        def tried() -> bool:
            answer = self.post()
            assert answer.status_code in (202, 503), answer.text
            accepted.extend([answer] if answer.status_code == 202 else [])
            return bool(accepted)

        self.until(tried)
        return UUID(accepted[0].json()["id"])

    def refused(self, *codes: str, seconds: float = 10.0, size: int = 0) -> None:
        """Submit a recording, which is refused for now, and soon: 503, one of these codes, a hint and when to come."""
        began = time.monotonic()
        answer = self.post(size=size)
        assert time.monotonic() - began < seconds
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] in codes
        assert answer.json()["hint"]
        assert int(answer.headers["retry-after"]) > 0

    def readiness(self) -> tuple[int, dict[str, str]]:
        """The status of ``/readyz``, and the code of each check that failed; never a word of a driver."""
        began = time.monotonic()
        answer = self.client.get("/readyz")
        assert time.monotonic() - began < 12
        assert (answer.status_code == 503) == ("retry-after" in answer.headers)
        failed = {name: check for name, check in answer.json()["checks"].items() if check["status"] != "ok"}
        assert all(check["hint"] and "detail" not in check for check in failed.values())
        return answer.status_code, {name: check["code"] for name, check in failed.items()}

    def until_ready(self) -> None:
        """Wait for a green ``/readyz``."""
        self.until(lambda: self.readiness()[0] == 200)

    def until_attempted(self, job_id: UUID) -> None:
        """Wait until a worker has begun to transcribe for a job."""
        self.until(lambda: any(attempt.job_id == job_id for attempt in self.attempts()))

    def numbers(self, job_id: UUID) -> list[int]:
        """The attempts at transcribing for a job."""
        return [attempt.number for attempt in self.attempts() if attempt.job_id == job_id]

    def until_whole(self, *jobs: UUID, seconds: float = 60) -> None:
        """Wait until jobs have completed, each with exactly what it should have."""
        for job_id in jobs:
            job = self.until_ended(job_id, seconds)
            assert job.status is JobStatus.COMPLETED, job.error
            with self.db.reading() as session:
                made = sa.select(col(Artifact.run), col(Artifact.chunk), col(Artifact.stage), col(Artifact.name))
                found = session.execute(made.where(col(Artifact.job_id) == job_id)).all()
                tasks = sa.select(col(Task.status)).where(col(Task.job_id) == job_id, col(Task.run) == job.run)
                assert set(session.scalars(tasks)) == {TaskStatus.COMPLETED}
            assert len(found) == len(set(found))
            assert [row.name for row in found if (row.run, row.stage) == (job.run, "assemble")] == ["transcript.txt"]

    def stop_api(self) -> None:
        """Stop the API as an operator would."""
        if self._api is not None:
            self._api.terminate()
            try:
                self._api.wait(40)
            finally:
                self._api.kill()
                self._api.wait()
            self._api = None


@contextmanager
def deployed(
    settings: Settings, folder: Path, *, command: Sequence[str] = CHILD, prefix: Sequence[str] = (), slots: int = 1
) -> Iterator[Deployment]:
    """A deployment that runs.

    Parameters:
      command: Runs a worker process.
      prefix: Runs the API.
    """
    deployment = Deployment(settings, folder, command)
    try:
        deployment.start(slots)
        deployment.start_api(prefix)
        # A worker is there once it has worked.
        deployment.until_whole(deployment.accepted())
        yield deployment
    finally:
        deployment.stop(0)
        deployment.stop_api()
        deployment.client.close()
        deployment.db.close()


class Recovery:
    """How long something takes from here on; told in the end, for docs/reliability.md."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._began = time.monotonic()

    def within(self, seconds: float) -> None:
        """It is over, and took no longer than that."""
        took = time.monotonic() - self._began
        print(f"\nrecovery | {self._fault} | {took:.1f} s")
        assert took < seconds


def until_broken(deployment: Deployment, **failing: str) -> None:
    """Wait until ``/readyz`` is red for these checks, with these codes."""
    deployment.until(lambda: deployment.readiness() == (503, failing))
