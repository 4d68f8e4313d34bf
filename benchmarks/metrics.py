"""Time what metrics cost: one scrape with many jobs in the table, and a submission and a job with and without them.

Uses a PostgreSQL of its own. With and without take turns in one process, and the medians are compared; "without"
replaces the counting by nothing. The job is one of three stages without the engines' work: its claims and completions
in the database, and with metrics also what a worker process sends to its supervisor. Real work comes on top of both.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

import sqlalchemy as sa
from starlette.testclient import TestClient

from benchmarks.spread import report
from octavia import observability
from octavia.exporting import Exporter
from octavia.jobs.status import figures
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import JobType
from octavia.metrics import measures
from octavia.metrics.formats import encoded
from octavia.metrics.measures import Measure
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.jobs.steps import Steps
from tests.support.postgres import PrivatePostgres

_TEXT = {"type": "dub", "text": "Good morning, my friends.", "source_language": "en", "target_language": "es"}

# A job of each ten is open; each has the tasks of one chunk.
_JOBS = """
INSERT INTO jobs (id, owner, type, status, source_language, target_language, options, priority, input, metadata, models,
                  warnings, duration, progress, run, revision, chunks_total, mending, message_format, event_seq,
                  created_at, queued_at, started_at, finished_at)
SELECT gen_random_uuid(), 'local', 'dub', CASE WHEN n % 10 = 0 THEN 'queued' WHEN n % 97 = 0 THEN 'failed'
       ELSE 'completed' END, 'en', 'es', '{}', 2, '{"kind": "media", "filename": "talk.wav"}', '{}', '{}', '[]', 30, 0,
       1, 0, 1, false, 1, 5, now() - n * interval '1 second', now(), now(), now()
FROM generate_series(1, :jobs) AS n
"""
_TASKS = """
INSERT INTO tasks (id, job_id, run, chunk, stage, status, attempt, given_back, seconds, progress, told, published,
                   queued_at, started_at, finished_at)
SELECT gen_random_uuid(), jobs.id, 1, CASE WHEN name IN ('prepare', 'assemble') THEN -1 ELSE 0 END, name,
       CASE WHEN jobs.status <> 'queued' THEN 'completed' WHEN name = 'prepare' THEN 'queued' ELSE 'waiting' END,
       1, 0, 30, 1, 0, 1, now(), now() - interval '5 seconds', now()
FROM jobs, unnest(ARRAY['prepare', 'transcribe', 'translate', 'synthesize', 'assemble']) AS name
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=500)
    arguments = parser.parse_args()
    server = PrivatePostgres()
    try:
        server.start()
        with _service(server) as (settings, db):
            _scrape(settings, db, arguments.jobs)
        with _service(server) as (settings, db):
            _submit(settings, db, arguments.times)
            _job(db, arguments.times)
    finally:
        server.stop()


@contextmanager
def _service(server: PrivatePostgres) -> Iterator[tuple[Settings, Database]]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            database_url=server.url(server.create()),
            data_dir=Path(folder),
            ready_queues=(),
            log_level="error",
            max_queued_jobs=10**6,
        )
        observability.configure(settings)
        with closing(Database.of(settings)) as db:
            db.upgrade()
            yield settings, db


def _scrape(settings: Settings, db: Database, jobs: int) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text(_JOBS), {"jobs": jobs})
        connection.execute(sa.text(_TASKS))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    print(f"With {jobs:,} jobs and {5 * jobs:,} tasks in the tables:")
    report("compute the figures", _times(lambda: figures.compute(db, embedded=False), 20))
    exporter = Exporter(settings, db, Storage(settings.storage), "api")
    exporter.start()
    report("the first scrape", _times(lambda: encoded("", exporter.registry), 1))
    report("a scrape", _times(lambda: encoded("", exporter.registry), 200))
    exporter.stop()


def _submit(settings: Settings, db: Database, amount: int) -> None:
    app = create_app(settings, database=db, storage=Storage(settings.storage))
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def submit() -> None:
            client.post("/api/v1/jobs", json=_TEXT).raise_for_status()

        _times(submit, 20)
        _compare("submit a text", submit, amount)


def _job(db: Database, amount: int) -> None:
    steps = Steps(db)

    def run() -> None:
        steps.submit(JobType.TRANSCRIBE)
        steps.run_out()
        # What a worker process does with it, and its supervisor.
        measures.take_in(json.loads(json.dumps(measures.kept(4000))))

    measures.keep()
    _times(run, 20)
    _compare("a job of three stages", run, amount)


def _compare(what: str, work: Callable[[], None], amount: int) -> None:
    """Do it with and without metrics, in turn, and print the differences of the medians.

    Processor time as well: on a machine that does other things too, the clock says little of one per cent.
    """
    seconds: dict[bool, list[float]] = {True: [], False: []}
    busy: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * amount):
        on = bool(number % 2)
        with _counting(on=on):
            began = time.process_time()
            seconds[on] += _times(work, 1)
            busy[on].append(time.process_time() - began)
    report(f"{what}, with metrics", seconds[True])
    report(f"{what}, without", seconds[False])
    for kind, found in (("time", seconds), ("processor time", busy)):
        with_metrics, without = statistics.median(found[True]), statistics.median(found[False])
        print(f"{what}: {100 * (with_metrics / without - 1):+.2f} % {kind}, of {1000 * without:.1f} ms", flush=True)


@contextmanager
def _counting(*, on: bool) -> Iterator[None]:
    if on:
        yield
        return
    with patch.object(Measure, "add", lambda *_, **__: None):
        yield


def _times(work: Callable[[], object], amount: int) -> list[float]:
    seconds = []
    for _ in range(amount):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
