"""The whole service in one folder, without a server or a broker, for the command line."""

import errno
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from octavia import private, tracing
from octavia.errors import OctaviaError
from octavia.files import written_whole
from octavia.jobs.lifecycle import submit
from octavia.jobs.status import backlog, job_details
from octavia.jobs.tables import contents, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, piece_input, stored_input
from octavia.jobs.tables.states import JOB_QUEUES, JobStatus, Stage, TaskStatus
from octavia.settings import Settings
from octavia.storage import Storage, no_space
from octavia.text.cue_files import CueFormat
from octavia.text.filenames import film_name

if TYPE_CHECKING:
    from octavia.worker.fork_server import ForkServer

OWNER = "local"
_TICK = 0.5

OnTick = Callable[[JobRecord, Mapping[Stage, job_details.StageProgress]], None]


class _Workers(Protocol):
    """Whoever does the tasks, in this process or in others."""

    def start(self) -> None: ...

    def poll(self, timeout: float) -> None: ...

    def check(self) -> None: ...

    def stop(self, grace: float) -> None: ...


class LocalService:
    """Runs embedded workers while its ``with`` block lasts.

    Parameters:
      settings: Without a broker; ``data_dir`` is the folder for state and files.
      slots: Most worker processes; one is started at first, and others as tasks wait for them. 0: none, as for a short
        text; its tasks are done by a thread of this process.
      server: Forks the worker processes; None: each is a new Python.
    """

    def __init__(self, settings: Settings, *, slots: int, server: "ForkServer | None" = None) -> None:
        private.make_folder(settings.data_dir)
        self.database = Database.of(settings)
        self.storage = Storage(settings.storage)
        self._workers = _Processes(settings, self.database, slots, server) if slots else self._inline(settings)
        self._grace = settings.stop_grace_seconds
        self._completed = False

    def __enter__(self) -> "LocalService":
        self.database.upgrade()
        self._workers.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Workers whose job is complete have only spans left to send: they need no time to give anything back.
        self._workers.stop(0.0 if self._completed and not tracing.is_on() else self._grace)
        self.database.close()

    def _inline(self, settings: Settings) -> _Workers:
        from octavia.actors import declare
        from octavia.worker.inline import InlineWorker

        return InlineWorker(settings, self.database, self.storage, declare)

    def submit(self, new: NewJob, data: Path | str, format: CueFormat | None = None) -> JobRecord:
        """Store the input, a file or a text, and start the job; ``format`` is that of subtitles, else None."""
        job_id = uuid7()
        folder = f"jobs/{job_id}/input"
        if isinstance(data, Path):
            with data.open("rb") as file:
                stored = self.storage.put(f"{folder}/media", file)
            given = stored_input("media", stored, filename=data.name, media_type="application/octet-stream")
        else:
            described = {"filename": "input.txt", "media_type": "text/plain"}
            piece = piece_input(data, **described) if format is None else None
            given = piece or stored_input("text", self.storage.put(f"{folder}/text.txt", data.encode()), **described)
        if format is not None:
            given = {**given, "kind": "subtitles", "format": format}
        return submit.create(self.database, replace(new, input=given, owner=OWNER), job_id=job_id)

    def wait(self, job_id: UUID, on_tick: OnTick) -> JobRecord:
        """Keep the workers running until the job ends; call ``on_tick`` when they report, and twice a second.

        Raises ``OctaviaError``: ``workers_failing`` if they die whenever they are started.
        """
        while True:
            self._workers.poll(_TICK)
            self._workers.check()
            job = queries.get(self.database, job_id, OWNER)
            on_tick(job, job_details.stage_progress(self.database, job_id))
            if job.status.ended:
                self._completed = job.status is JobStatus.COMPLETED
                return job

    def export(self, job_id: UUID, out: Path) -> list[Path]:
        """Copy the job's results into a folder, a film as ``talk.es.mp4``; returns their paths.

        Raises as ``write_result``; results before the one that the error names have been written.
        """
        paths = []
        job = queries.get(self.database, job_id, OWNER)
        stem = Path(job.input["filename"]).stem
        for artifact in queries.artifacts(self.database, job_id):
            path = out / (film_name(stem, job.result_language, artifact.name) or artifact.name)
            with contents.opened(self.storage, artifact) as source:
                write_result(path, source)
            paths.append(path)
        return paths


class _Processes:
    """Worker processes: one at first, which may be all that a short recording needs, and more while tasks wait."""

    def __init__(self, settings: Settings, db: Database, slots: int, server: "ForkServer | None") -> None:
        # Imported only now: a command that works by itself needs none of it.
        from octavia.worker.supervisor import Supervisor

        self._db = db
        self._most = slots
        # With a broker, as in benchmarks, each queue has processes of its own.
        later = slots - 1 if settings.embedded else 0
        # Nobody keeps the state of a command for so long that it needs maintenance.
        self._supervisor = Supervisor(
            settings, JOB_QUEUES, slots, later=later, deliver=False, export=False, server=server
        )

    def start(self) -> None:
        self._supervisor.start()

    def poll(self, timeout: float) -> None:
        self._supervisor.poll(timeout)
        workers = self._supervisor.workers
        if workers < self._most and self._begun() > workers:
            self._supervisor.add_worker()

    def _begun(self) -> int:
        """The number of tasks that run or could; one waits for those before it."""
        found = backlog.count(self._db).tasks
        return sum(amount for (_, status), amount in found.items() if status is not TaskStatus.WAITING)

    def check(self) -> None:
        self._supervisor.check()

    def stop(self, grace: float) -> None:
        self._supervisor.stop(grace)


@private.as_given()
def write_result(path: Path, source: BinaryIO) -> None:
    """Copy a result to ``path``, which appears whole or not at all, with the modes of the person's umask.

    Raises ``OctaviaError``: ``storage_full`` or ``folder_unusable``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        hint = "Make the folder writable, or name another one with --out."
        if full := no_space(error):
            hint = "Free some space, and run the same command again."
        elif error.errno == errno.ENAMETOOLONG:
            hint = "Name a folder with a shorter path with --out."
        raise OctaviaError(
            f"{path} cannot be written: {error.strerror}.",
            code="storage_full" if full else "folder_unusable",
            hint=hint,
        ) from error
