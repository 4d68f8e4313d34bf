"""Time what operators ask of a database with many jobs: filters, statistics, failures and the overview.

Fills a new SQLite file, or the empty PostgreSQL database that is named, with jobs of two days, five tasks and attempts
each. Prints the wall time, and the processor time of this process (SQLite works in it), in milliseconds.
"""

import argparse
import random
import statistics as median_of
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from octavia.jobs.operations import failures, listing, overview, statistics
from octavia.jobs.operations.statistics import Window
from octavia.jobs.tables.database import Database, clock
from octavia.jobs.tables.operation_rows import Attempt
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import WHOLE_JOB, AttemptOutcome, JobStatus, JobType, Stage, TaskStatus

STAGES = (Stage.PREPARE, Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE, Stage.ASSEMBLE)
CODES = ("worker_lost", "no_audio", "time_limit_exceeded", "internal_error")
FILTERS = (
    *("", "owner:ann", "owner:o7", "status:failed", "-status:completed", "type:dub", "code:worker_lost", "code:none"),
    *("stage:synthesize", "queue:synthesize", "worker:host1", "worker:host1:105:0", "worker:none", "priority:high"),
    *("meta.customer:42", "meta.customer:none", "-meta.project:spring", "age:>1d", "age:<1h", "ended:<1h"),
    *("interview", "nothing-of-the-kind", "interview status:failed", "language:es", "id:01"),
    "owner:ann status:failed age:<1d",
)
Rows = list[dict[str, Any]]


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--database", help="URL of an empty PostgreSQL database; a SQLite file if not given")
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = Database(arguments.database or f"sqlite:///{Path(folder, 'octavia.db')}")
        db.upgrade()
        fill(db, arguments.jobs)
        for name, ask in questions(db):
            walls, processor = timed(ask, arguments.runs)
            print(f"{name:34}{median_of.median(walls) * 1e3:8.1f} wall{processor * 1e3:8.1f} processor")
        db.close()


def questions(db: Database) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what is asked, with its name."""
    for text in FILTERS:
        yield text or "(no filter)", partial(listing.list_jobs, db, None, text)
    for window in Window:
        yield f"statistics {window}", partial(statistics.read, db, window, None)
        yield f"failures {window}", partial(failures.by_code, db, window, None)
    yield "overview", partial(overview.count_jobs, db, None)


def timed(ask: Callable[[], object], runs: int) -> tuple[list[float], float]:
    """Return the wall seconds of each run, and the mean processor seconds, after one that does not count."""
    ask()
    walls, began = [], time.process_time()
    for _ in range(runs):
        started = time.perf_counter()
        ask()
        walls.append(time.perf_counter() - started)
    return walls, (time.process_time() - began) / runs


def fill(db: Database, amount: int) -> None:
    """Write jobs with their tasks and attempts."""
    made_up, moment = random.Random(1), clock(db)
    for first in range(0, amount, 2000):
        jobs: Rows = []
        tasks: Rows = []
        attempts: Rows = []
        for number in range(first, min(first + 2000, amount)):
            submitted = moment - timedelta(days=2) * (1 - number / amount)
            _add(made_up, number, amount, submitted, jobs, tasks, attempts)
        with db.transaction() as session:
            for table, rows in ((Job, jobs), (Task, tasks), (Attempt, attempts)):
                session.execute(sa.insert(table), rows)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def _add(
    made_up: random.Random, number: int, amount: int, at: datetime, jobs: Rows, tasks: Rows, attempts: Rows
) -> None:
    job_id = _id(made_up, at)
    failed = made_up.random() < 0.02
    waits = number > amount - 300
    status = JobStatus.QUEUED if waits else JobStatus.FAILED if failed else JobStatus.COMPLETED
    kind = made_up.choice(("interview", "talk", "song", "lecture"))
    ended = None if waits else at + timedelta(seconds=30)
    error: dict[str, Any] = {"error_code": None, "error_message": None, "error_hint": None, "stage": None}
    if status is JobStatus.FAILED:
        error = {"error_code": made_up.choice(CODES), "error_message": "It failed.", "error_hint": "Try again."}
        error["stage"] = made_up.choice(STAGES)
    jobs.append(
        Job(
            id=job_id,
            owner="ann" if made_up.random() < 0.5 else f"o{made_up.randrange(200)}",
            type=made_up.choice(list(JobType)),
            status=status,
            source_language="en",
            target_language=made_up.choice(("es", "fr", "de")),
            priority=made_up.choice((1, 2, 2, 3)),
            input={"kind": "media", "filename": f"{kind} {number}.wav", "key": f"jobs/{job_id}/input/a.wav"},
            meta={"customer": number % 1000, "project": "spring" if number % 2 else "autumn", "note": "x" * 99},
            created_at=at,
            queued_at=at,
            started_at=at,
            finished_at=ended,
        ).model_dump()
        | error
    )
    for stage in STAGES:
        worker, seconds = f"host{made_up.randrange(5)}:{made_up.randrange(100, 120)}:0", made_up.expovariate(0.2)
        chunk = WHOLE_JOB if stage in (Stage.PREPARE, Stage.ASSEMBLE) else 0
        state = TaskStatus.QUEUED if waits else TaskStatus.COMPLETED
        task = Task(
            id=_id(made_up, at),
            job_id=job_id,
            run=1,
            chunk=chunk,
            stage=stage,
            status=state,
            attempt=1,
            worker=worker,
            queued_at=at,
            started_at=at,
            finished_at=None if waits else at + timedelta(seconds=seconds),
            message=b"x" * 300,
        )
        tasks.append(task.model_dump())
        if not waits:
            attempts.append(
                Attempt(
                    task_id=task.id,
                    number=1,
                    job_id=job_id,
                    stage=stage,
                    worker=worker,
                    started_at=at,
                    ended_at=at + timedelta(seconds=seconds),
                    outcome=AttemptOutcome.COMPLETED,
                ).model_dump()
            )


def _id(made_up: random.Random, at: datetime) -> UUID:
    """Make a UUIDv7 of a time."""
    data = bytearray(int(at.timestamp() * 1000).to_bytes(6, "big") + made_up.randbytes(10))
    data[6], data[8] = 0x70 | data[6] & 0x0F, 0x80 | data[8] & 0x3F
    return UUID(bytes=bytes(data))


if __name__ == "__main__":
    main()
