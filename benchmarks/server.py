"""Start a private API process over the services that the environment's OCTAVIA_… settings name, to measure it."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from octavia import programs
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from rabbitmq.ports import free_ports


@dataclass(frozen=True)
class Server:
    """An API that answers at ``url``."""

    url: str
    settings: Settings
    process: psutil.Process
    database: Database


@contextmanager
def served() -> Iterator[Server]:
    """Migrate the database, start an API, wait until it is ready; end it with the block."""
    with tempfile.TemporaryDirectory(prefix="octavia-bench-") as folder:
        settings = Settings(
            data_dir=Path(folder),
            port=free_ports(1)[0],
            log_level="error",
            queue_prefix=f"bench-{os.getpid()}",
            max_queued_jobs=1_000_000,
            ready_queues=(),
        )
        database = Database(settings.database, pool_size=4)
        database.upgrade()
        print(f"database {database.url.get_backend_name()}, broker {settings.broker_url.partition(':')[0] or 'none'}")
        process = subprocess.Popen(
            programs.module("octavia", "serve", "--no-workers"),
            env=programs.environment(settings.environment()),
            cwd=programs.FOLDER,
            stdout=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{settings.port}"
        try:
            _until_ready(url)
            yield Server(url, settings, psutil.Process(process.pid), database)
        finally:
            process.terminate()
            process.wait()
            database.close()


def _until_ready(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the API did not become ready")
