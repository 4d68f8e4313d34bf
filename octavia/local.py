"""The whole service in one folder, without a server or a broker, for the command line."""

import errno
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from uuid_utils.compat import uuid7

from octavia import private
from octavia.errors import OctaviaError
from octavia.files import written_whole
from octavia.jobs.lifecycle import submit
from octavia.jobs.status import job_details
from octavia.jobs.tables import contents, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, piece_input, stored_input
from octavia.jobs.tables.states import Queue, Stage
from octavia.settings import Settings
from octavia.storage import Storage, no_space
from octavia.text.cue_files import CueFormat
from octavia.text.filenames import film_name
from octavia.worker.supervisor import Supervisor

OWNER = "local"
_TICK = 0.1

OnTick = Callable[[JobRecord, Mapping[Stage, job_details.StageProgress]], None]


class LocalService:
    """Runs embedded workers while its ``with`` block lasts.

    Parameters:
      settings: Without a broker; ``data_dir`` is the folder for state and files.
      slots: Number of worker processes.
    """

    def __init__(self, settings: Settings, *, slots: int) -> None:
        private.make_folder(settings.data_dir)
        self.database = Database.of(settings)
        self.storage = Storage(settings.storage)
        self._supervisor = Supervisor(settings, list(Queue), slots, deliver=False, export=False)
        self._grace = settings.stop_grace_seconds

    def __enter__(self) -> "LocalService":
        self.database.upgrade()
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop(self._grace)
        self.database.close()

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
        """Keep the workers running until the job ends; call ``on_tick`` about ten times a second.

        Raises ``WorkersFailing`` if they die whenever they are started.
        """
        while True:
            self._supervisor.poll(_TICK)
            self._supervisor.check()
            job = queries.get(self.database, job_id, OWNER)
            on_tick(job, job_details.stage_progress(self.database, job_id))
            if job.status.ended:
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
