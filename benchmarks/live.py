"""Measure hundreds of clients that watch jobs: their cost when idle, and the delay until an event reaches them all.

Server, watchers and whoever makes things happen are a process each. Over the database and broker that the environment's
OCTAVIA_… settings name, which should be fresh ones: the jobs stay there.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from uuid import UUID

import httpx
from httpx_sse import aconnect_sse

from benchmarks.server import Server, served
from octavia import programs
from octavia.jobs.lifecycle import submit
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType
from octavia.jobs.tables.transitions import lock_job

MIB = 1024 * 1024
_PAUSE = 0.5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--idle", type=float, default=30, help="seconds for which nothing happens")
    parser.add_argument("--events", type=int, default=20, help="how many are timed")
    arguments = parser.parse_args()
    with served() as server:
        for amount in (1, arguments.clients):
            jobs = [_submit(server.database) for _ in range(amount)]
            _measure(server, jobs, arguments.clients, arguments.idle, arguments.events)


def _measure(server: Server, jobs: list[UUID], clients: int, idle: float, amount: int) -> None:
    print(f"{clients} clients, {len(jobs)} job{'s' if len(jobs) > 1 else ''}", flush=True)
    before = server.process.memory_info().rss
    watcher, watched = multiprocessing.Pipe()
    emitter, emitting = multiprocessing.Pipe()
    spawn = programs.spawn_context()
    url = server.database.url.render_as_string(hide_password=False)
    processes = [
        spawn.Process(target=_watch, args=(watched, server.url, [jobs[n % len(jobs)] for n in range(clients)])),
        spawn.Process(target=_emit, args=(emitting, url)),
    ]
    for process in processes:
        process.start()
    assert watcher.recv() == 0
    share = _share(server, idle)
    print(
        f"  idle: {share:.1%} of a core over {idle:.0f} s, "
        f"API {before / MIB:.0f} → {server.process.memory_info().rss / MIB:.0f} MiB",
        flush=True,
    )
    first, last = [], []
    # An event reaches all who watch its job; of many jobs each has one at once.
    for _ in range(amount):
        emitter.send(jobs)
        committed = emitter.recv()
        arrived = watcher.recv()
        first.append(arrived[0] - committed[0])
        last.append(max(arrived) - committed[-1])
        time.sleep(_PAUSE)
    _report("to the first", first)
    _report("to the last" if len(jobs) == 1 else "to the last, from the last commit", last)
    for process in processes:
        process.terminate()
        process.join()


def _share(server: Server, seconds: float) -> float:
    """Measure the share of one core that the API uses."""
    time.sleep(2)
    used = server.process.cpu_times()
    time.sleep(seconds)
    now = server.process.cpu_times()
    return (now.user + now.system - used.user - used.system) / seconds


def _report(what: str, seconds: list[float]) -> None:
    ordered = sorted(value * 1000 for value in seconds)
    print(
        f"  {what}: median {statistics.median(ordered):.0f} ms, worst {ordered[-1]:.0f} ms of {len(ordered)}",
        flush=True,
    )


def _submit(database: Database) -> UUID:
    given = {"kind": "media", "filename": "a.wav", "media_type": "audio/wav", "size": 1, "sha256": "0" * 64}
    return submit.create(database, NewJob(JobType.TRANSCRIBE, "en", input=given), start=False).id


def _watch(told: Connection, url: str, jobs: list[UUID]) -> None:
    """Report when all clients are connected, then when each got each event, in order of arrival."""
    asyncio.run(_watch_all(told.send, url, jobs))


async def _watch_all(tell: Callable[[object], None], url: str, jobs: list[UUID]) -> None:
    arrived: list[float] = []
    limits = httpx.Limits(max_connections=len(jobs))
    there = 0
    # A watched job may take as long as it takes.
    async with httpx.AsyncClient(base_url=url, timeout=None, limits=limits) as client:  # noqa: S113

        async def watch(job: UUID) -> None:
            nonlocal there
            async with aconnect_sse(client, "GET", f"/api/v1/jobs/{job}/events") as source:
                source.response.raise_for_status()
                there += 1
                if there == len(jobs):
                    tell(0)
                async for _ in source.aiter_sse():
                    arrived.append(time.monotonic())
                    if len(arrived) == len(jobs):
                        tell(list(arrived))
                        arrived.clear()

        await asyncio.gather(*(watch(job) for job in jobs))


def _emit(asked: Connection, url: str) -> None:
    """Record an event for each of some jobs, a transaction each; send back the commit times."""
    database = Database(url)
    while True:
        committed = []
        for job_id in asked.recv():
            with database.transaction() as session:
                events.emit(session, lock_job(session, job_id), "progress", {"progress": 0.5, "stage": "transcribe"})
            committed.append(time.monotonic())
        asked.send(committed)


if __name__ == "__main__":
    main()
