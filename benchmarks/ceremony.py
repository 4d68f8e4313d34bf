"""Count what one line of text costs beside its translation: tasks, transactions, statements, files, processor time.

Each part is done in this process, as API and worker do it beside RabbitMQ, over the database of
``OCTAVIA_DATABASE_URL``, in which no messages may wait: the submission leases its message and publishes it directly.
"""

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event

from octavia.actors import LoadedModels, stage_functions
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims, completion, messages
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, Outgoing, piece_input
from octavia.jobs.tables.states import JobStatus, JobType
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work

_PARTS = ("submit", "claim", "actor", "complete")


class Counts:
    """The counts of each part, and its processor time in seconds."""

    def __init__(self, database: Database) -> None:
        self.transactions: Counter[str] = Counter()
        self.statements: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._part = ""
        event.listen(database.engine, "begin", self._began)
        event.listen(database.engine, "before_cursor_execute", self._executed)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what the block does as this part's."""
        self._part, began = part, time.process_time()
        try:
            yield
        finally:
            self.seconds[part] += time.process_time() - began
            self._part = ""

    def _began(self, _: sa.Connection) -> None:
        self.transactions[self._part] += 1

    def _executed(self, *_: object) -> None:
        self.statements[self._part] += 1


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="octavia-bench-") as folder:
        settings = Settings(data_dir=Path(folder), log_level="warning")
        worker = _Worker(settings)
        for _ in range(5):
            worker.job(Counts(worker.database))
        counts = Counts(worker.database)
        for _ in range(arguments.jobs):
            worker.job(counts)
        files = len(list(worker.storage.keys()))
        worker.database.close()
    print("for each job          transactions   statements    ms of the processor")
    for part in _PARTS:
        numbers = (counts.transactions[part], counts.statements[part], counts.seconds[part] * 1000)
        print(f"{part:18}" + "".join(f"{number / arguments.jobs:14.1f}" for number in numbers))
    print(f"files in the storage after all jobs: {files}")


class _Worker:
    def __init__(self, settings: Settings) -> None:
        self.database = Database.of(settings)
        self.database.upgrade()
        self._posted: list[Outgoing] = []
        self.database.post = self._posted.extend
        self.storage = Storage(settings.storage)
        self._settings = settings
        self._stages = stage_functions(LoadedModels(settings))

    def job(self, counts: Counts) -> None:
        """Submit a job and do all that is due."""
        with counts.of("submit"):
            job = self._submit()
        while self._posted:
            row = self._posted.pop()
            with counts.of("claim"):
                ref = messages.ref_of(messages.decode(row.message))
                claim = claims.claim(self.database, ref, "benchmark", lease=60.0)
            work = Work(self.database, claim, self.storage, self._settings)
            with counts.of("actor"):
                self._stages[ref.stage](work)
            with counts.of("complete"):
                self._complete(work)
        if queries.get(self.database, job.id, job.owner).status is not JobStatus.COMPLETED:
            raise SystemExit(f"the job {job.id} did not complete")

    def _submit(self) -> JobRecord:
        given = piece_input("Good morning, my friend.", filename="text.txt", media_type="text/plain")
        return submit.create(self.database, NewJob(JobType.TRANSLATE, "en", "es", input=given or {}))

    def _complete(self, work: Work) -> None:
        completion.complete(
            self.database,
            work.claim,
            artifacts=work.artifacts,
            handover=None,
            models=work.models,
            warnings=work.warnings,
        )


if __name__ == "__main__":
    main()
