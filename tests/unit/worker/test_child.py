import json
import os
import select
import subprocess
import sys
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from octavia.metrics import measures
from octavia.metrics.declared import ATTEMPTS
from octavia.middleware.process import Process
from octavia.worker.child import _watch
from octavia.worker.pipes import REPORT_FD
from octavia.worker.processes import KeptProcess, stop
from octavia.worker.reports import Reports


class _Stop:
    """Tells to stop at the third look."""

    def __init__(self) -> None:
        self.looks = 0

    def wait(self, timeout: float) -> bool:
        self.looks += 1
        return self.looks > 2


@pytest.mark.parametrize(
    ("worker_lives", "consumer_lives", "healthy"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_a_process_whose_worker_or_consumer_died_is_not_healthy(
    worker_lives: bool, consumer_lives: bool, healthy: bool
) -> None:
    # Given a worker of one thread and one consumer
    living, dead = threading.current_thread(), threading.Thread()
    worker: Any = SimpleNamespace(
        workers=[living if worker_lives else dead], consumers={"queue": living if consumer_lives else dead}
    )
    # When it is watched until it is told to stop
    # Then a process that could do nothing any more does not wait for that
    assert _watch(worker, Process("test"), cast(Any, _Stop()), 1.0, threading.Event()) is healthy


def test_without_a_supervisor_reports_go_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that nobody supervises
    monkeypatch.delenv(REPORT_FD, raising=False)
    # When it reports
    # Then nothing happens
    assert Reports()({"idle": True}) is None  # type: ignore[func-returns-value]


def test_a_report_arrives_as_it_was() -> None:
    # Given a process that reports and ends
    code = "from octavia.worker.reports import Reports; Reports()({'task': 'a', 'attempt': 2, 'limit': 600.0})"
    kept = KeptProcess("test", [sys.executable, "-c", code], reports=True)
    kept.start()
    # When its lines are read
    lines: list[bytes] = []
    while kept.report_fd is not None:
        lines += kept.read_reports()
    stop([kept], 5)
    # Then the report is there
    assert [json.loads(line) for line in lines] == [{"task": "a", "attempt": 2, "limit": 600.0}]


def test_a_process_ends_when_nobody_reads_its_reports() -> None:
    # Given a process whose supervisor is dead: the pipe has no other end
    code = f"""
import os
read, write = os.pipe()
os.close(read)
os.environ[{REPORT_FD!r}] = str(write)
from octavia.worker.reports import Reports
Reports()({{"memory": 1}})
print("still here")
"""
    # When it reports
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    # Then it ends
    assert result.returncode == 1
    assert "still here" not in result.stdout


def test_a_full_pipe_holds_nothing_up_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a supervisor that does not read, and a process that counts
    read, write = os.pipe()
    monkeypatch.setenv(REPORT_FD, str(write))
    monkeypatch.setattr(measures, "_kept", None)
    reports = Reports(counting=True)
    # When it reports far more than the pipe holds
    for number in range(5000):
        ATTEMPTS.add(stage="transcribe", outcome="completed")
        reports({"limit": number})
    # Then it was not held up; and once somebody reads, everything comes, in order, in lines that are written whole
    os.set_blocking(read, False)
    received = b""
    while received.count(b"\n") < 5000:
        with suppress(BlockingIOError):
            received += os.read(read, 1 << 20)
        reports({})
    lines = [json.loads(line) for line in received.splitlines()]
    assert [line["limit"] for line in lines if "limit" in line] == list(range(5000))
    assert sum(len(line.get("counted", ())) for line in lines) == 5000
    assert max(map(len, received.splitlines())) < select.PIPE_BUF
    os.close(read)
    os.close(write)


def test_before_a_process_leaves_it_waits_a_moment_for_its_last_word_to_be_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a pipe that is full, and a supervisor that reads late
    read, write = os.pipe()
    monkeypatch.setenv(REPORT_FD, str(write))
    reports = Reports()
    for number in range(20_000):
        reports({"limit": number})
    received: list[bytes] = []

    def look() -> None:
        while not received or not received[-1].endswith(b'{"leaving": true}\n'):
            received.append(os.read(read, 1 << 20))

    reader = threading.Timer(0.2, look)
    reader.start()
    # When it says that it leaves
    reports({"leaving": True})
    # Then that arrives
    reader.join(10)
    assert not reader.is_alive()
    assert b"".join(received).count(b"\n") == 20_001
    os.close(read)
    os.close(write)
