"""A whole service in processes of its own, driven over HTTP as a client would."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import numpy as np
import psutil

from octavia.engines.types import SPEECH_RATE
from octavia.media.decode import decode
from octavia.media.encode import Encoder
from tests.support.ports import free_port

SAMPLE = Path(__file__).parents[2] / "samples" / "sense_and_sensibility.flac"
ENDED = {"completed", "failed", "canceled"}


def clip(folder: Path, seconds: float = 11.0) -> Path:
    """The sample's beginning, or the sample again and again; two sentences are enough to be caught in the middle of."""
    path = folder / "clip.flac"
    samples = np.resize(np.concatenate(list(decode(SAMPLE))), int(seconds * SPEECH_RATE))
    with Encoder(path, "flac", SPEECH_RATE) as encoder:
        encoder.write(samples)
    return path


@dataclass
class Service:
    """Processes of one deployment and a client for its API."""

    environment: dict[str, str]
    log_dir: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def start(self, name: str, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Run ``octavia`` with these arguments, by the command ``before`` if given; its output goes into a log file."""
        with (self.log_dir / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "octavia", *arguments],
                env=os.environ | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def start_api(self) -> None:
        """Run the API and wait until it is ready."""
        self.start("api", "serve", "--port", str(self.port))
        self.until_ready()

    def until_ready(self, seconds: float = 60) -> None:
        """Wait for a green ``/readyz``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"the service did not become ready:\n{self.logs()}")

    def submit(self, media: Path, **fields: str) -> dict[str, Any]:
        """Post a recording."""
        with media.open("rb") as file:
            answer = self.client.post("/api/v1/jobs", data=fields, files={"file": (media.name, file, "audio/flac")})
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
        return dict(answer.json())

    def status(self, job_id: str) -> dict[str, Any]:
        """The job's small status."""
        return dict(self.client.get(f"/api/v1/jobs/{job_id}/status").raise_for_status().json())

    def until(self, job_id: str, condition: Any, seconds: float) -> dict[str, Any]:
        """Poll the status until it meets a condition."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.status(job_id)
            if condition(status):
                return status
            assert status["status"] not in ENDED, f"{status}\n{self.logs()}"
            time.sleep(0.2)
        raise AssertionError(f"still {self.status(job_id)} after {seconds} s:\n{self.logs()}")

    def until_ended(self, job_id: str, seconds: float = 300) -> dict[str, Any]:
        """Poll until the job ended."""
        return self.until(job_id, lambda status: status["status"] in ENDED, seconds)

    def until_started(self, job_id: str, stage: str) -> None:
        """Follow a job until a worker has begun with a stage, however short that is."""
        with httpx_sse.connect_sse(self.client, "GET", f"/api/v1/jobs/{job_id}/events") as source:
            for event in source.iter_sse():
                data = json.loads(event.data)
                if event.event == "stage" and (data["stage"], data["status"]) == (stage, "started"):
                    return
        raise AssertionError(f"{stage} was not begun:\n{self.logs()}")

    def children(self, name: str) -> list[psutil.Process]:
        """The worker children below one of our processes."""
        below = psutil.Process(self.processes[name].pid).children(recursive=True)
        return [child for child in below if _works(child)]

    def kill(self, name: str) -> None:
        """SIGKILL one of our processes."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def end(self, name: str) -> None:
        """Stop one of our processes in good order."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(60)

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(self.log_dir.iterdir())
        )

    def stop(self) -> None:
        """Stop everything that still runs."""
        self.client.close()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _works(process: psutil.Process) -> bool:
    try:
        return "octavia.worker.child" in process.cmdline()
    except psutil.NoSuchProcess:  # such as one that probed a recording
        return False


@contextmanager
def service(tmp_path: Path, **settings: str) -> Iterator[Service]:
    """A service with its own folder, which is stopped at the end."""
    logs = tmp_path / "logs"
    logs.mkdir(parents=True)
    environment = {
        "OCTAVIA_DATA_DIR": str(tmp_path / "data"),
        "OCTAVIA_LOG_FORMAT": "console",
        "OCTAVIA_LEASE_SECONDS": "10",
        # An API may be started before its workers.
        "OCTAVIA_READY_QUEUES": "[]",
        # Every worker process imports for a second or two; few tests need two of a kind.
        "OCTAVIA_WORKER_SLOTS": "1",
        **settings,
    }
    running = Service(environment, logs)
    try:
        yield running
    finally:
        running.stop()
