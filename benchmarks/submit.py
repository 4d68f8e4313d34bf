"""How long a submission takes: POST /api/v1/jobs with a 1 MB file, one after another, no workers running.

Serves the API in a process of its own over the database, broker and storage that the environment's OCTAVIA_… settings
name; what it submits it cancels again. Beside the whole, it measures what the machine itself needs for the same bytes
at the least: to write and flush a file of that size.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from octavia.jobs.database import Database
from octavia.settings import Settings

_WARM_UP = 10
_SERVE = """
import uvicorn
from octavia.settings import Settings
from octavia.web import create_app
settings = Settings()
uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_level="warning", access_log=False)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=1.0)
    arguments = parser.parse_args()
    data = os.urandom(int(arguments.megabytes * 1_000_000))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), port=_free_port(), log_level="error")
        database = Database(settings.database)
        database.upgrade()
        database.close()
        print(f"database {database.url.get_backend_name()}, broker {settings.broker_url.partition(':')[0] or 'none'}")
        _report("write and flush", _times(lambda: _write(Path(folder) / "probe", data), arguments.requests))
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE], env=os.environ | settings.environment(), stdout=subprocess.DEVNULL
        )
        try:
            _submit_all(f"http://127.0.0.1:{settings.port}", data, arguments.requests)
        finally:
            process.terminate()
            process.wait()


def _submit_all(url: str, data: bytes, amount: int) -> None:
    with httpx.Client(base_url=url, timeout=60) as client:
        _wait(client)
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
        _report("submit", _times(submit, amount))
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


def _report(what: str, seconds: list[float]) -> None:
    ordered = sorted(value * 1000 for value in seconds)
    worst = ordered[int(len(ordered) * 0.95)]
    print(f"{what:16} median {statistics.median(ordered):6.1f} ms   95 % {worst:6.1f} ms   of {len(ordered)}")


def _wait(client: httpx.Client) -> None:
    for _ in range(300):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the API did not become ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
