import subprocess
import sys
import threading

import pytest

from octavia.errors import Unavailable
from octavia.middleware.process import Process, worker_id


def test_a_name_tells_machine_process_and_slot() -> None:
    # Given the names of two processes in the same slot, one after the other
    first, second = worker_id("transcribe-0", 1), worker_id("transcribe-0", 2)
    # Then they differ, so that what one held is never taken for the other's
    assert first != second
    assert first.endswith(":1:transcribe-0")


def test_patience_ends_with_the_outage() -> None:
    # Given a database that does not answer twice
    answers = iter([Unavailable("away"), Unavailable("away"), "stored"])

    def call() -> str:
        answer = next(answers)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    # When something is stored patiently
    # Then it is, and what it returns comes back
    assert Process("test", first_pause=0.01).patiently("store", call) == "stored"


def test_patience_is_for_outages_alone() -> None:
    # Given a mistake of ours
    def call() -> None:
        raise ValueError("a mistake")

    # When it is called patiently
    # Then it is not repeated for ever
    with pytest.raises(ValueError, match="a mistake"):
        Process("test").patiently("store", call)


def test_told_to_stop_while_waiting_the_process_ends_on_the_spot() -> None:
    # Given a process that waits for a database that does not come back, and for long before it asks again
    code = """
import threading
from octavia.errors import Unavailable
from octavia.middleware.process import Process

def call():
    raise Unavailable("away")

process = Process("test", lambda report: print(report, flush=True), first_pause=600.0)
threading.Timer(0.3, process.stop).start()
try:
    process.patiently("store", call)
finally:
    print("returned")
"""
    # When it is told to stop
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    # Then it does not wait for that, and the hook never returns, so nothing is acknowledged
    assert result.returncode == 75
    assert "returned" not in result.stdout
    # And its supervisor knows that it has not crashed
    assert "leaving" in result.stdout


def test_a_stop_reaches_the_task_in_hand_and_one_that_comes_after() -> None:
    # Given two tasks
    class Task:
        def __init__(self) -> None:
            self.stopping = threading.Event()

    process, now, later = Process("test"), Task(), Task()
    # When the process is stopped while it has one, and then takes the other
    process.take(now)  # type: ignore[arg-type]
    process.stop()
    process.take(later)  # type: ignore[arg-type]
    # Then both hear of it
    assert now.stopping.is_set()
    assert later.stopping.is_set()
