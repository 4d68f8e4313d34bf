"""``octavia up`` and ``octavia down``, with a private RabbitMQ and ports of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.service import SAMPLE
from tests.support import waiting
from tests.support.modes import open_to_others
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

ENDED = {"completed", "failed", "canceled"}


class Stack:
    """One ``up`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.amqp = free_port()
        self.environment = os.environ | {
            "OCTAVIA_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{self.amqp}/",
            "OCTAVIA_DATABASE_URL": "",
            "OCTAVIA_DATA_DIR": str(folder / "var" / "data"),
            "OCTAVIA_PORT": str(self.port),
            "OCTAVIA_QUEUE_PREFIX": f"up-{self.port}",
            "OCTAVIA_WORKER_SLOTS": "1",
            "PYTHONPATH": str(SAMPLE.parents[1]),
        }

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "octavia", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=570,
            # A careless one: see what becomes of the files.
            umask=0,
        )

    @property
    def record(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "var" / "run" / "service.json").read_text()))

    def pids(self) -> dict[str, int]:
        return {name: int(process["pid"]) for name, process in self.record["processes"].items()}

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def submit(self, **fields: str) -> str:
        with SAMPLE.open("rb") as file:
            url = f"http://127.0.0.1:{self.port}/api/v1/jobs"
            answer = httpx.post(url, data=fields, files={"file": file}, timeout=30)
        return str(answer.raise_for_status().json()["id"])

    def ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    stack.run("down")


# Not more often: asking takes the processor that it waits for.
until = partial(waiting.until, every=0.2)


def test_one_command_brings_up_a_service_that_outlives_its_processes(stack: Stack) -> None:
    # When everything is brought up where no RabbitMQ is
    done = stack.run("up")
    assert done.returncode == 0, done.stderr

    # Then it is ready, and says which broker it uses and where its console is
    assert stack.ready()
    assert f"127.0.0.1:{stack.amqp}" in done.stdout
    assert "a private node" in done.stdout
    assert httpx.get(str(stack.record["console"]), timeout=30).status_code == 200
    first = stack.pids()
    assert set(first) == {"api", "workers", "scheduler", "rabbitmq"}

    # And a second time it says that it is up, and starts nothing
    again = stack.run("up")
    assert (again.returncode, stack.pids()) == (0, first)
    assert "already up" in again.stdout

    # When a job is under way and each of our processes is killed, but RabbitMQ
    job = stack.submit(type="transcribe", source_language="en")
    for name in ("workers", "api", "scheduler"):
        os.kill(first[name], signal.SIGKILL)
    until(lambda: all(stack.pids().get(name) not in (None, first[name]) for name in ("workers", "api", "scheduler")))
    until(stack.ready)

    # Then all are back, and the job completes
    def status() -> str:
        return str(stack.get(f"/api/v1/jobs/{job}/status").raise_for_status().json()["status"])

    until(lambda: status() in ENDED, 240)
    assert status() == "completed"

    # And nobody else can read a file of it: logs, record, database, results, RabbitMQ's data and its cookie
    names = {path.name for path in (stack.folder / "var").rglob("*")}
    assert {"api.log", "keeper.log", "rabbitmq.log", "service.json", "octavia.db", ".erlang.cookie"} <= names
    assert open_to_others(stack.folder / "var") == []

    # When it is brought down, exactly what was started ends
    below = psutil.Process(int(stack.record["keeper"]["pid"])).children(recursive=True)
    down = stack.run("down")
    assert down.returncode == 0, down.stderr
    assert psutil.wait_procs(below, timeout=30)[1] == []
    assert not stack.ready()

    # And a second time there is nothing to do
    again = stack.run("down")
    assert again.returncode == 0
    assert "not up" in again.stdout


def test_down_finds_what_a_killed_keeper_left(stack: Stack) -> None:
    # Given a service whose keeper was killed
    assert stack.run("up").returncode == 0
    started = [psutil.Process(pid) for pid in stack.pids().values()]
    os.kill(int(stack.record["keeper"]["pid"]), signal.SIGKILL)

    # When it is brought down
    down = stack.run("down")

    # Then nothing of it is left
    assert down.returncode == 0, down.stderr
    assert psutil.wait_procs(started, timeout=30)[1] == []


def test_a_broker_that_is_not_ours_to_start_is_named(stack: Stack) -> None:
    # Given a broker elsewhere that does not answer
    stack.environment["OCTAVIA_BROKER_URL"] = f"amqp://someone:secret@127.0.0.1:{stack.amqp}/"

    # Then nothing is started, and the reason is given without the password
    failed = stack.run("up")
    assert failed.returncode == 1
    assert "(broker_unavailable)" in failed.stderr
    assert "secret" not in failed.stderr
    assert not (stack.folder / "var" / "run" / "service.json").exists()
