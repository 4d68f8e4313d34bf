"""The whole service on one machine, without a server or a broker, around one folder."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from uuid_utils.compat import uuid7

from octavia.jobs import queries, submit
from octavia.jobs.database import Database
from octavia.jobs.queries import StageProgress
from octavia.jobs.records import JobRecord, NewJob
from octavia.jobs.states import Queue, Stage
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.worker.supervisor import Supervisor

OWNER = "local"
_TICK = 0.1

OnTick = Callable[[JobRecord, Mapping[Stage, StageProgress]], None]


class LocalService:
    """Embedded workers for as long as the ``with`` block lasts.

    Parameters:
      settings: With ``data_dir`` as the folder for state and files, and no broker.
      slots: Worker processes.
    """

    def __init__(self, settings: Settings, *, slots: int) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.database = Database(settings.database)
        self.storage = Storage(settings.storage)
        self._supervisor = Supervisor(settings, list(Queue), slots)
        self._grace = settings.stop_grace_seconds

    def __enter__(self) -> "LocalService":
        self.database.upgrade()
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop(self._grace)
        self.database.close()

    def submit(self, new: NewJob, data: Path | str) -> JobRecord:
        """Store the input, a media file or a text, and start the job."""
        job_id = uuid7()
        name = data.name if isinstance(data, Path) else "input.txt"
        key = f"jobs/{job_id}/input/{'media' if isinstance(data, Path) else 'text.txt'}"
        if isinstance(data, Path):
            with data.open("rb") as file:
                stored = self.storage.put(key, file)
        else:
            stored = self.storage.put(key, data.encode())
        kind, media_type = ("media", "application/octet-stream") if isinstance(data, Path) else ("text", "text/plain")
        described = {
            "kind": kind,
            "key": key,
            "filename": name,
            "size": stored.size,
            "sha256": stored.sha256,
            "media_type": media_type,
        }
        return submit.create(self.database, replace(new, input=described, owner=OWNER), job_id=job_id)

    def wait(self, job_id: UUID, on_tick: OnTick) -> JobRecord:
        """Keep the workers going until the job ends; calls ``on_tick`` about ten times a second."""
        while True:
            self._supervisor.poll(_TICK)
            job = queries.get(self.database, job_id, OWNER)
            on_tick(job, queries.stage_progress(self.database, job_id))
            if job.status.ended:
                return job

    def export(self, job_id: UUID, out: Path) -> list[Path]:
        """Copy the job's results into a folder; gives their paths."""
        out.mkdir(parents=True, exist_ok=True)
        paths = []
        for artifact in queries.artifacts(self.database, job_id):
            path = out / artifact.name
            partial = path.with_name(f".{path.name}.part")
            with self.storage.open(artifact.storage_key) as source, partial.open("wb") as target:
                shutil.copyfileobj(source, target)
            partial.replace(path)
            paths.append(path)
        return paths
