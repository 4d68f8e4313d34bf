"""Measure how long short work waits behind long work, and whether fairness costs throughput; ratios of one run.

Transcribes with whisper-tiny.en on two workers, over the broker and the database that the environment's OCTAVIA_…
settings name; without them embedded. The recordings are the sample in samples/, repeated.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from faster_whisper.audio import decode_audio
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia import observability
from octavia.broker import make_broker
from octavia.brokers.relay import Relay
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel
from octavia.jobs.status import job_details
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, stored_input
from octavia.jobs.tables.rows import Task
from octavia.jobs.tables.states import JobStatus, JobType, Queue, Stage
from octavia.media.encode import Encoder
from octavia.settings import Settings, get_settings
from octavia.storage import Storage
from octavia.worker.supervisor import Supervisor

SAMPLE = Path(__file__).parents[1] / "samples" / "sense_and_sensibility.flac"
RATE = 16_000
CLIP_SECONDS = 10.0
MANY = 100
# Looking costs processor time, which the workers need; what is told are the database's times.
_TICK = 0.1


class Took(NamedTuple):
    """The seconds that a job took, by the database's clock; by stage, the sums over its chunks.

    In a job of one chunk the stages follow one another, so ``waited`` (from queued to claimed) and ``worked`` (from
    claimed to completed) are nearly all of ``whole``.
    """

    whole: float
    chunks: int
    waited: Mapping[Stage, float]
    worked: Mapping[Stage, float]


class Bench:
    """Workers around a folder of their own, and the jobs of several owners."""

    def __init__(self, settings: Settings, slots: int) -> None:
        folder = settings.data_dir / uuid7().hex
        prefix = f"bench-{os.getpid()}-{folder.name}"
        settings = settings.model_copy(update={"data_dir": folder, "queue_prefix": prefix, "worker_slots": slots})
        folder.mkdir()
        self.database = Database.of(settings)
        self.storage = Storage(settings.storage)
        # As in an API: it publishes at once what was submitted here.
        self._relay = Relay(self.database, make_broker(settings, self.database))
        self._supervisor = Supervisor(settings, list(Queue), slots, deliver=False, export=False)

    def __enter__(self) -> Self:
        self.database.upgrade()
        self._relay.start()
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop(0)
        self._relay.stop()
        self.database.close()

    def submit(self, media: Path, owner: str) -> UUID:
        """Start a job; its owner is no key, only a name."""
        job_id = uuid7()
        with media.open("rb") as file:
            stored = self.storage.put(f"jobs/{job_id}/input/media", file)
        given = stored_input("media", stored, filename=media.name, media_type="audio/wav")
        new = NewJob(JobType.TRANSCRIBE, "en", owner=owner, input=given, options={"formats": ["txt"]})
        return submit.create(self.database, new, job_id=job_id).id

    def job(self, job_id: UUID, owner: str) -> JobRecord:
        """Read a job after a tick of the supervisor."""
        self._supervisor.poll(_TICK)
        return queries.get(self.database, job_id, owner)

    def timed(self, media: Path, owner: str) -> Took:
        """Do one job, from submission to its end."""
        job_id = self.submit(media, owner)
        while not (job := self.job(job_id, owner)).status.ended:
            pass
        if job.status is not JobStatus.COMPLETED:
            sys.exit(f"error: the job is {job.status}: {job.error}")
        with self.database.reading() as session:
            tasks = session.scalars(sa.select(Task).where(col(Task.job_id) == job_id)).all()
        waited: defaultdict[Stage, float] = defaultdict(float)
        worked: defaultdict[Stage, float] = defaultdict(float)
        for task in tasks:
            waited[task.stage] += _between(task.queued_at, task.started_at)
            worked[task.stage] += _between(task.started_at, task.finished_at)
        return Took(_between(job.created_at, job.finished_at), job.chunks_total or 0, waited, worked)

    def warm(self, media: Path, slots: int) -> None:
        """Let every worker load its model: do so many jobs at once, twice."""
        for _ in range(2):
            jobs = [self.submit(media, "warm") for _ in range(slots)]
            while not all(self.job(job_id, "warm").status.ended for job_id in jobs):
                pass

    def until_under_way(self, job_id: UUID, owner: str, chunks: int) -> None:
        """Wait until so many of its chunks are transcribed."""
        while True:
            if self.job(job_id, owner).status.ended:
                sys.exit("error: the long job ended before anything was measured")
            done = job_details.stage_progress(self.database, job_id).get(Stage.TRANSCRIBE)
            if done is not None and done.done >= chunks:
                return

    def cancel(self, job_id: UUID, owner: str) -> None:
        """Cancel a job, and wait until nothing of it runs."""
        if not self.job(job_id, owner).status.ended:
            cancel.cancel(self.database, job_id, owner)
        while not self.job(job_id, owner).status.ended:
            pass


def _between(start: datetime | None, end: datetime | None) -> float:
    assert start, "a completed job has all its times"
    assert end, "a completed job has all its times"
    return (end - start).total_seconds()


def write_speech(target: Path, seconds: float) -> None:
    """Repeat the sample until it lasts so long."""
    speech = decode_audio(str(SAMPLE), sampling_rate=RATE)
    with Encoder(target, "wav", RATE) as encoder:
        encoder.write(np.resize(speech, round(seconds * RATE)))


def report(what: str, idle: list[Took], behind: list[Took], target: float) -> None:
    """Print the median of the whole with its ratio, and the means of its parts, which add up."""
    median, late = (statistics.median(took.whole for took in each) for each in (idle, behind))
    shown = ", ".join(f"{took.whole:.1f}" for took in behind)
    print(f"{what:44} idle {median:5.2f} s, behind {late:5.2f} s ({shown}): {late / median:.2f} x, at most {target}")
    for stage in idle[0].worked:
        waited = [statistics.mean(took.waited[stage] for took in each) for each in (idle, behind)]
        worked = [statistics.mean(took.worked[stage] for took in each) for each in (idle, behind)]
        print(f"  {stage:12} waited {waited[0]:5.2f} s and {waited[1]:5.2f} s,", end=" ")
        print(f"worked {worked[0]:5.2f} s and {worked[1]:5.2f} s", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="length of the long recording")
    parser.add_argument("--runs", type=int, default=5, help="clips that are timed, idle and behind each")
    parser.add_argument("--throughput", type=float, default=1200, help="seconds of recording for one and two workers")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="octavia-bench-") as folder:
        clip, long, some = (Path(folder) / f"{name}.wav" for name in ("clip", "long", "some"))
        write_speech(clip, CLIP_SECONDS)
        write_speech(long, arguments.minutes * 60)
        write_speech(some, arguments.throughput)
        changes = {"data_dir": Path(folder), "log_level": "error", "max_queued_jobs": 1000}
        settings = get_settings().model_copy(update=changes)
        observability.configure(settings)
        print(f"{'embedded' if settings.embedded else 'through RabbitMQ'}, two workers", flush=True)
        with Bench(settings, 2) as bench:
            _waiting(bench, clip, long, arguments.runs)
        one, two = (_throughput(settings, some, clip, slots) for slots in (1, 2))
        print(f"{arguments.throughput:.0f} s of speech: one worker {one.whole:.1f} s, two {two.whole:.1f} s:", end=" ")
        # Of an odd number of chunks, one is done while the other worker has nothing.
        most = two.chunks / -(-two.chunks // 2)
        print(f"{one.whole / two.whole:.2f} x; {two.chunks} chunks allow {most:.2f} x")


def _waiting(bench: Bench, clip: Path, long: Path, runs: int) -> None:
    bench.warm(clip, 2)
    idle = [bench.timed(clip, "short") for _ in range(runs)]
    for what, owner in (("another owner's long recording", "long"), ("the same owner's long recording", "short")):
        job_id = bench.submit(long, owner)
        bench.until_under_way(job_id, owner, 4)
        report(f"{CLIP_SECONDS:.0f} s behind {what}", idle, [bench.timed(clip, "short") for _ in range(runs)], 1.5)
        bench.cancel(job_id, owner)
    jobs = [bench.submit(clip, "many") for _ in range(MANY)]
    behind = [bench.timed(clip, "one") for _ in range(runs)]
    left = sum(not bench.job(job_id, "many").status.ended for job_id in jobs)
    report(f"one job beside another owner's {MANY} ({left} left)", idle, behind, 2.0)
    for job_id in jobs:
        bench.cancel(job_id, "many")


def _throughput(settings: Settings, media: Path, clip: Path, slots: int) -> Took:
    with Bench(settings, slots) as bench:
        bench.warm(clip, slots)
        return bench.timed(media, "long")


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"in {time.monotonic() - began:.0f} s")
