"""A service whose folder lies on a slow disk: each wait for what was written takes a tenth of a second."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service, clip, service

DELAY = 0.1
"""Seconds; a worn card, or a network's folder that others use, takes about as long."""

# The kernel tells the tracer of these calls alone. The tracer is no parent of the service, which is stopped as always.
TRACER = ["strace", "-D", "-f", "-qqq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-e", "signal=none"]


def start_slowly(running: Service, record: Path) -> None:
    delay = f"inject=fsync,fdatasync:delay_enter={int(DELAY * 1_000_000)}"
    before = [*TRACER, "-o", str(record), "-e", delay]
    running.start("api", "serve", "--port", str(running.port), before=before)
    running.until_ready()


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A service, and the record of each wait for its disk."""
    folder = tmp_path_factory.mktemp("slow")
    with service(folder) as running:
        start_slowly(running, folder / "waits")
        yield running, folder / "waits"


def attempts(running: Service, job_id: str) -> list[dict[str, Any]]:
    log = running.client.get(f"/api/v1/jobs/{job_id}/log", params={"limit": 1000}).raise_for_status().json()
    return [entry for entry in log["entries"] if entry["what"] == "attempt"]


def test_no_task_is_lost_or_done_twice(slow: tuple[Service, Path], tmp_path: Path) -> None:
    # Given a service that is slow to write
    running, record = slow

    # When a recording and lines of text are submitted
    talk = running.submit(clip(tmp_path), type="translate", source_language="en", target_language="es")["id"]
    line = {"type": "translate", "source_language": "en", "target_language": "es", "text": "Good morning."}
    lines = [running.client.post("/api/v1/jobs", json=line).raise_for_status().json()["id"] for _ in range(3)]

    # Then each is completed, every task at the first attempt
    for job_id in (*lines, talk):
        assert running.until_ended(job_id)["status"] == "completed"
        assert {(one["attempt"], one["status"]) for one in attempts(running, job_id)} == {(1, "completed")}
    assert running.client.get(f"/api/v1/jobs/{talk}/translation.srt").raise_for_status().text

    # And the disk was as slow as was meant
    assert record.read_text().count("(DELAYED)") > 20


def test_what_was_done_before_a_crash_is_not_done_again(slow: tuple[Service, Path], tmp_path: Path) -> None:
    # Given a recording in the middle of its way
    running, record = slow
    job_id = running.submit(clip(tmp_path), type="translate", source_language="en", target_language="es")["id"]
    running.until_started(job_id, "transcribe")

    # When everything is killed, and comes back on the same slow disk
    children = running.children("api")
    running.kill("api")
    for child in children:
        child.wait(30)
    start_slowly(running, record)

    # Then the job completes, and each of its tasks once
    assert running.until_ended(job_id)["status"] == "completed"
    done = [(one["stage"], one["chunk"]) for one in attempts(running, job_id) if one["status"] == "completed"]
    assert len(done) == len(set(done)) > 3, done
