import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from octavia.cli.stack.record import Identity, ServiceRecord


def test_a_process_is_known_by_more_than_its_pid() -> None:
    # Given this process
    myself = Identity.of(os.getpid())
    assert myself is not None
    assert myself.process() is not None

    # Then one with its pid that started at another time is not it
    assert replace(myself, started=myself.started - 60).process() is None


def test_a_process_that_ended_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = Identity.of(child.pid)
    assert identity is not None
    assert identity.process() is not None
    child.communicate(b"\n")
    assert identity.process() is None
    assert Identity.of(child.pid) is None


def test_the_record_comes_back_as_it_was(tmp_path: Path) -> None:
    # Given a record with one process that runs and one that cannot
    myself = Identity.of(os.getpid())
    assert myself is not None
    running = ServiceRecord(
        keeper=myself,
        api="http://127.0.0.1:8000",
        broker="amqp://127.0.0.1:5672",
        console="",
        private=False,
        processes={"api": myself, "workers": Identity(myself.pid, 1.0)},
    )
    assert ServiceRecord.load(tmp_path) is None

    # When it is saved and loaded
    running.save(tmp_path)
    loaded = ServiceRecord.load(tmp_path)

    # Then it is the same, and knows who is left
    assert loaded == running
    assert loaded.up
    assert set(loaded.left()) == {"api"}
