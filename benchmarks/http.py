"""The API under load: many submissions, status polls in a full table, large uploads at once. No workers run.

Over the database, broker and storage that the environment's OCTAVIA_… settings name, which should be fresh ones: the
jobs that fill the table are taken out again, what is submitted stays.
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from subprocess import Popen
from uuid import UUID

import httpx

from benchmarks.filling import filled
from benchmarks.server import Server, served
from benchmarks.speech import write_speech
from benchmarks.spread import report
from octavia import programs

MIB = 1024 * 1024
_FIELDS = {"type": "dub", "source_language": "en", "target_language": "es"}


def main() -> None:
    """Run the requested measurements and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="submissions a second")
    parser.add_argument("--seconds", type=float, default=30, help="for so long")
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs in the table for the status polls")
    parser.add_argument("--busy", action="store_true", help="submit beside a worker that recognises speech")
    arguments = parser.parse_args()
    with served() as server:
        if arguments.busy:
            with _busy_worker(server):
                asyncio.run(_submissions(server.url, arguments.rate, arguments.seconds))
            return
        asyncio.run(_submissions(server.url, arguments.rate, arguments.seconds))
        for amount in (1_000, arguments.jobs):
            with filled(server.database, amount) as jobs:
                _polls(server.url, jobs, f"status, {amount:,} jobs in the table")
        asyncio.run(_uploads(server, amount=20, size=1_000_000))  # warm: threads and buffers are there
        asyncio.run(_uploads(server, amount=20, size=100 * 1_000_000))


async def _submissions(url: str, rate: float, seconds: float) -> None:
    """Send at a steady rate, even if answers are late; each is timed from the moment it was due."""
    data = os.urandom(100_000)
    times: list[float] = []
    errors: list[str] = []
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:

        async def submit(due: float) -> None:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            try:
                answer = await client.post("/api/v1/jobs", data=_FIELDS, files={"file": ("talk.wav", data)})
                answer.raise_for_status()
            except httpx.HTTPError as error:
                errors.append(repr(error))
            times.append(time.perf_counter() - due)

        begin = time.perf_counter() + 1
        await asyncio.gather(*(submit(begin + number / rate) for number in range(int(rate * seconds))))
    report(f"submit 100 kB at {rate:.0f}/s", times)
    print(f"errors: {len(errors)} {errors[:3] if errors else ''}")


def _polls(url: str, jobs: list[UUID], what: str) -> None:
    times = []
    with httpx.Client(base_url=url) as client:
        for number in range(1_000):
            began = time.perf_counter()
            client.get(f"/api/v1/jobs/{jobs[number * 7919 % len(jobs)]}/status").raise_for_status()
            times.append(time.perf_counter() - began)
    report(what, times[100:])


async def _uploads(server: Server, *, amount: int, size: int) -> None:
    """Measure how much the API's memory grows during simultaneous uploads."""
    block = os.urandom(64 * 1024)
    before = highest = server.process.memory_info().rss
    fields = "".join(
        f'--line\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in _FIELDS.items()
    )
    head = f'{fields}--line\r\nContent-Disposition: form-data; name="file"; filename="talk.wav"\r\n\r\n'.encode()

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(size // len(block)):
            yield block
        yield b"\r\n--line--\r\n"

    async with httpx.AsyncClient(base_url=server.url, timeout=600) as client:

        async def upload() -> None:
            headers = {"content-type": "multipart/form-data; boundary=line"}
            (await client.post("/api/v1/jobs", content=body(), headers=headers)).raise_for_status()

        began = time.perf_counter()
        uploads = asyncio.gather(*(upload() for _ in range(amount)))
        while not uploads.done():
            highest = max(highest, server.process.memory_info().rss)
            await asyncio.wait([uploads], timeout=0.1)
        await uploads
    print(
        f"{amount} uploads of {size // 1_000_000} MB at once: {time.perf_counter() - began:.1f} s, "
        f"API {before / MIB:.0f} → {highest / MIB:.0f} MiB at most",
        flush=True,
    )


@contextmanager
def _busy_worker(server: Server) -> Iterator[None]:
    """Run a worker that recognizes ten minutes of speech meanwhile."""
    speech = server.settings.data_dir / "speech.wav"
    write_speech(speech, 600)
    environment = programs.environment(server.settings.environment())

    def work(queue: str) -> Popen[bytes]:
        command = programs.module("octavia", "worker", "--queues", queue, "--slots", "1")
        return Popen(command, env=environment, cwd=programs.FOLDER)

    with httpx.Client(base_url=server.url, timeout=60) as client:
        with speech.open("rb") as file:
            answer = client.post(
                "/api/v1/jobs", data={"type": "transcribe", "source_language": "en"}, files={"file": file}
            )
        job = answer.raise_for_status().headers["location"]
        preparing = work("default")
        while client.get(f"{job}/status").json()["stage"] in (None, "prepare"):
            time.sleep(0.2)
        preparing.terminate()
        preparing.wait()
        recognising = work("transcribe")
        while client.get(f"{job}/status").json()["progress"] < 0.15:
            time.sleep(0.2)
        try:
            yield
        finally:
            still = client.get(f"{job}/status").json()["status"]
            print(f"the worker's job is {still}")
            recognising.terminate()
            recognising.wait()


if __name__ == "__main__":
    main()
