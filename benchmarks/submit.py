"""Time submissions: POST /api/v1/jobs with a 1 MB file, one after another, with no workers running.

Serves the API in a process of its own over the database, broker and storage that the environment's OCTAVIA_… settings
name; what it submits it cancels again. Beside the whole, it measures what the machine itself needs for the same bytes
at the least: to write and flush a file of that size.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from benchmarks.server import served
from benchmarks.spread import report

_WARM_UP = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=1.0)
    arguments = parser.parse_args()
    data = os.urandom(int(arguments.megabytes * 1_000_000))
    with served() as server:
        probe = server.settings.data_dir / "probe"
        report("write and flush", _times(lambda: _write(probe, data), arguments.requests))
        _submit_all(server.url, data, arguments.requests)


def _submit_all(url: str, data: bytes, amount: int) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        jobs: list[str] = []

        def submit() -> None:
            answer = client.post(
                "/api/v1/jobs",
                data={"type": "dub", "source_language": "en", "target_language": "es"},
                files={"file": ("talk.wav", data, "audio/wav")},
            )
            answer.raise_for_status()
            jobs.append(answer.headers["location"])

        _times(submit, _WARM_UP)
        report("submit", _times(submit, amount))
        for job in jobs:
            client.post(f"{job}/cancel").raise_for_status()


def _times(work: Callable[[], None], amount: int) -> list[float]:
    seconds = []
    for _ in range(amount):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main()
