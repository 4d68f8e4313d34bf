"""Small text jobs through Octavia: how many a second, and how long one takes on an idle system.

Real processes over the database and broker that the environment's OCTAVIA_… settings name: one API, and two worker
processes. ``--peer FOLDER`` measures FastAPI + Celery + Redis beside it in the same run, with the same client, its
stages empty and with the same translator; its environment is made in that folder.
"""

import argparse
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.peers import celery_plan
from benchmarks.server import Server, served
from octavia import programs

_TEXT = {"type": "translate", "text": "Good morning, my friend.", "source_language": "en", "target_language": "es"}
_ENDED = ("completed", "failed", "canceled")


@dataclass(frozen=True)
class Plant:
    """Something that runs text jobs.

    Parameters:
      submit: Path to post a job to; the answer's ``location`` is the job's path, whose JSON has a ``status``.
      processes: What it consists of, to count the processor time of.
    """

    name: str
    url: str
    submit: str
    processes: Sequence[psutil.Process]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=300, help="jobs of one burst")
    parser.add_argument("--idle", type=int, default=30, help="jobs one after another")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, by turns")
    parser.add_argument("--clients", type=int, default=4, help="threads that submit a burst")
    parser.add_argument("--peer", type=Path, help="a folder for the other plan's environment: measure it too")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(served())
        plants = [stack.enter_context(_octavia(server))]
        if arguments.peer:
            url, processes = stack.enter_context(celery_plan.running(arguments.peer, server.database))
            plants += [Plant(f"celery, {how}", url, f"/jobs/{how}", processes) for how in ("empty", "translator")]
        for plant in plants:
            _one_by_one(plant, 20)
        for _ in range(arguments.rounds):
            print(f"load {os.getloadavg()[0]:.1f}")
            for plant in plants:
                _report_idle(plant, arguments.idle)
            for plant in plants:
                _report_burst(plant, arguments.jobs, arguments.clients)


@contextmanager
def _octavia(server: Server) -> Iterator[Plant]:
    worker = subprocess.Popen(
        programs.module("octavia", "worker", "--queues", "translate", "--slots", "2"),
        env=programs.environment(server.settings.environment()),
        cwd=programs.FOLDER,
    )
    try:
        yield Plant("octavia", server.url, "/api/v1/jobs", (server.process, psutil.Process(worker.pid)))
    finally:
        worker.terminate()
        worker.wait()


def _report_idle(plant: Plant, jobs: int) -> None:
    with _processor(plant) as spent:
        times = _one_by_one(plant, jobs)
    spread = f"median {statistics.median(times) * 1000:6.1f} ms, longest {max(times) * 1000:6.1f} ms"
    print(f"{plant.name:18} alone   {spread}, {_each(spent(), jobs)}", flush=True)


def _report_burst(plant: Plant, jobs: int, clients: int) -> None:
    with _processor(plant) as spent:
        submitted, ended = _burst(plant, jobs, clients)
    rates = f"{jobs / submitted:6.1f} submitted a second, {jobs / ended:6.1f} completed a second"
    print(f"{plant.name:18} burst   {rates}, {_each(spent(), jobs)}", flush=True)


def _each(seconds: Sequence[float], jobs: int) -> str:
    parts = " + ".join(f"{part / jobs * 1000:.1f}" for part in seconds)
    return f"{sum(seconds) / jobs * 1000:.1f} ms of the processor each ({parts})"


def _one_by_one(plant: Plant, jobs: int) -> list[float]:
    times = []
    with httpx.Client(base_url=plant.url, timeout=60) as client:
        for _ in range(jobs):
            began = time.perf_counter()
            _await(client, _submit(client, plant), pause=0.003)
            times.append(time.perf_counter() - began)
    return times


def _burst(plant: Plant, jobs: int, clients: int) -> tuple[float, float]:
    """Submit jobs from several threads; returns the seconds until all were accepted, and until all were completed."""
    paths: list[str] = []

    def submit() -> None:
        with httpx.Client(base_url=plant.url, timeout=60) as client:
            paths.extend(_submit(client, plant) for _ in range(jobs // clients))

    began = time.perf_counter()
    threads = [threading.Thread(target=submit) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    submitted = time.perf_counter() - began
    with httpx.Client(base_url=plant.url, timeout=60) as client:
        # Jobs end about in the order of their submission: seldom is one asked for that has not ended.
        for path in paths[-clients * 2 :]:
            _await(client, path, pause=0.02)
        ended = time.perf_counter() - began
        for path in paths:
            _await(client, path, pause=0.02)
    return submitted, ended


def _submit(client: httpx.Client, plant: Plant) -> str:
    answer = client.post(plant.submit, json=_TEXT)
    answer.raise_for_status()
    return str(answer.headers["location"])


def _await(client: httpx.Client, path: str, *, pause: float) -> None:
    while (status := client.get(path).json()["status"]) not in _ENDED:
        time.sleep(pause)
    if status != "completed":
        raise SystemExit(f"{path} {status}")


@contextmanager
def _processor(plant: Plant) -> Iterator[Callable[[], list[float]]]:
    """Give a function that returns the processor time that each part has taken since, children included."""
    before = [_spent(process) for process in plant.processes]
    yield lambda: [_spent(process) - then for process, then in zip(plant.processes, before, strict=True)]


def _spent(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


if __name__ == "__main__":
    main()
