"""A worker in this process: the real actors over real storage, whose engines a test can watch."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from uuid_utils.compat import uuid7

from octavia.actors import LoadedModels, stage_functions
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims, completion
from octavia.jobs.tables import contents, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob, piece_input, stored_input
from octavia.jobs.tables.states import JobStatus
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work
from tests.integration.jobs.steps import Steps


class OneWorker:
    """Runs jobs to their ends, one task after the other; what fails raises."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.db = Database(settings.database)
        self.db.upgrade()
        self.storage = Storage(settings.storage)
        self._steps = Steps(self.db)
        self._stages = stage_functions(LoadedModels(settings))

    def submit(self, new: NewJob, data: Path | str, *, subtitles: str | None = None) -> JobRecord:
        """A job over a recording, a text, or subtitles of a format, run to its end."""
        job_id = uuid7()
        name = data.name if isinstance(data, Path) else "text.txt"
        stored = self.storage.put(
            f"jobs/{job_id}/input/{name}", data.read_bytes() if isinstance(data, Path) else data.encode()
        )
        kind = "subtitles" if subtitles else "media" if isinstance(data, Path) else "text"
        given = stored_input(kind, stored, filename=name, media_type="application/octet-stream")
        if subtitles:
            given["format"] = subtitles
        submit.create(self.db, replace(new, input=given), job_id=job_id)
        return self.work(job_id)

    def submit_piece(self, new: NewJob, text: str) -> JobRecord:
        """A job over a text of one piece, run to its end."""
        given = piece_input(text, filename="text.txt", media_type="text/plain")
        assert given is not None
        return self.work(submit.create(self.db, replace(new, input=given)).id)

    def work(self, job_id: UUID) -> JobRecord:
        """Do all that is due."""
        while messages := self._steps.deliver():
            for ref, message in messages.items():
                work = Work(self.db, claims.claim(self.db, ref, "w", lease=60), self.storage, self.settings)
                self._stages[ref.stage](work)
                target = message.options.get("pipe_target")
                assert completion.complete(
                    self.db,
                    work.claim,
                    artifacts=work.artifacts,
                    handover=message.copy(**target).encode() if target else None,
                    plan=work.plan,
                    detected=work.detected,
                    models=work.models,
                    warnings=work.warnings,
                    heard=work.unreported,
                )
        job = queries.get(self.db, job_id, "local")
        assert job.status is JobStatus.COMPLETED
        return job

    def result(self, job_id: UUID, name: str, revision: int | None = None) -> bytes:
        """A file that a job made."""
        return contents.read(self.storage, queries.artifact(self.db, job_id, name, revision))
