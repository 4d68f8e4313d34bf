"""Starts the plan of ``plan.py`` in an environment of its own: Redis, FastAPI, two Celery processes."""

import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil

from octavia import programs
from octavia.jobs.tables.database import Database
from rabbitmq.ports import free_ports

_FOLDER = Path(__file__).parent


@contextmanager
def running(folder: Path, database: Database) -> Iterator[tuple[str, tuple[psutil.Process, ...]]]:
    """Start it over the database of the benchmark; yields its URL and its processes, and ends them.

    Parameters:
      folder: Where its environment is, or is made. Redis writes there too.
    """
    scripts = _environment(folder)
    redis, port = free_ports(2)
    settings = {
        "PLAN_REDIS": f"redis://127.0.0.1:{redis}/0",
        "PLAN_DATABASE": database.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "PYTHONPATH": str(_FOLDER),
    }
    stores = (
        "--appendonly",
        "yes",
        "--dir",
        str(folder),
        "--dbfilename",
        f"{redis}.rdb",
        "--appenddirname",
        f"{redis}",
    )
    with ExitStack() as stack:
        stack.enter_context(_started(["redis-server", "--port", str(redis), "--bind", "127.0.0.1", *stores], {}))
        served = [str(scripts / "uvicorn"), "plan:app", "--port", str(port), "--log-level", "error"]
        api = stack.enter_context(_started(served, settings))
        celery = [str(scripts / "celery"), "-A", "plan:celery", "worker", "--concurrency", "2"]
        worker = stack.enter_context(_started([*celery, "--loglevel", "ERROR"], settings))
        url = f"http://127.0.0.1:{port}"
        _until_answering(url)
        yield url, (psutil.Process(api.pid), psutil.Process(worker.pid))


def _environment(folder: Path) -> Path:
    """Make the environment, unless it is there: its own packages first, then Octavia's, for the translator.

    Returns the folder of its programs.
    """
    scripts = folder / "bin"
    if not scripts.exists():
        venv.create(folder, with_pip=True)
        install = [str(scripts / "pip"), "install", "--quiet", "--requirement", str(_FOLDER / "requirements.txt")]
        subprocess.run(install, cwd=programs.FOLDER, env=programs.environment(), check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        ours = [str(_FOLDER.parents[1]), *(path for path in sys.path if "site-packages" in path)]
        (packages / "octavia.pth").write_text("\n".join(ours) + "\n")
    return scripts


@contextmanager
def _started(command: list[str], settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    environment = programs.environment(settings)
    process = subprocess.Popen(command, cwd=programs.FOLDER, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _until_answering(url: str) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{url}/docs")
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit("the other plan did not start")
