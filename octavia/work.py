"""The task in hand: everything that a stage function may read and do. The status middleware makes one per message."""

import hashlib
import io
import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from octavia import compact_json
from octavia.errors import Canceled, LeaseLost, Stopping, TimeLimitExceeded, Unavailable
from octavia.jobs.lifecycle import edits
from octavia.jobs.protocol import claims, early, progress
from octavia.jobs.tables import chunk_times, contents, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Claim, Detected, HeardSegment, JobRecord, NewArtifact, Plan
from octavia.jobs.tables.states import WHOLE_JOB, Stage
from octavia.settings import Settings
from octavia.storage import ObjectWriter, Reservation, Storage, StoredObject

logger = structlog.get_logger()


class Work:
    """One claimed attempt at a task.

    Parameters:
      claim: The claimed task, with the job as it was then.
      loading: A context for loading or fetching a model, which has a time limit of its own.
      report_every: Least seconds between two reports of progress.
      sent: Called when messages were written before the task is done.

    Attributes:
      canceled, lease_lost, stopping: Set by other threads; the next checkpoint raises.
      soft_deadline: Monotonic time after which the next checkpoint raises.
      artifacts, warnings, plan, detected, models, dub: Committed when the task completes.
      unreported: Recognised segments that those who watch the job get with the next report, or on completion.
    """

    def __init__(
        self,
        db: Database,
        claim: Claim,
        storage: Storage,
        settings: Settings,
        *,
        loading: Callable[[], AbstractContextManager[None]] = nullcontext,
        report_every: float = 1.0,
        sent: Callable[[], object] = lambda: None,
    ) -> None:
        self.claim = claim
        self.storage = storage
        self.settings = settings
        self.loading = loading
        self.canceled = threading.Event()
        self.lease_lost = threading.Event()
        self.stopping = threading.Event()
        self.soft_deadline = float("inf")
        self.artifacts: list[NewArtifact] = []
        self.warnings: list[dict[str, str]] = []
        self.plan: Plan | None = None
        self.detected: Detected | None = None
        self.models: dict[str, Any] | None = None
        self.dub: dict[str, float] | None = None
        self.unreported: list[HeardSegment] = []
        self._db = db
        self._report_every = report_every
        self._sent = sent
        self._reported = time.monotonic()

    @property
    def job(self) -> JobRecord:
        """The job as it was when the task was claimed."""
        return self.claim.job

    def pin(self, models: dict[str, Any]) -> None:
        """Pin the job to these models, from now on in this task and by its completion for the others."""
        self.models = models
        self.claim = replace(self.claim, job=replace(self.job, models=models))

    def checkpoint(self, fraction: float) -> None:
        """Stop if told to, and report progress (0–1) and ``unreported`` about once a second; called between two pieces.

        Raises ``Canceled``, ``LeaseLost``, ``Stopping``, or ``TimeLimitExceeded`` after the soft limit.
        """
        if self.lease_lost.is_set():
            raise LeaseLost("Another worker holds this task.")
        if self.canceled.is_set():
            raise Canceled("The job was canceled.")
        if self.stopping.is_set():
            raise Stopping("This worker is stopping.")
        now = time.monotonic()
        if now > self.soft_deadline:
            raise TimeLimitExceeded(
                f"The {self.claim.ref.stage} task ran past its soft time limit.",
                hint="Raise OCTAVIA_SOFT_LIMIT_SECONDS, or use a smaller model.",
            )
        if now - self._reported >= self._report_every:
            self._report(fraction)
            self._reported = time.monotonic()

    def _report(self, fraction: float) -> None:
        try:
            claims.record_progress(self._db, self.claim.task_id, self.claim.attempt, fraction, self.unreported)
            self.unreported.clear()
        except Unavailable as error:
            # No reason to lose the work: completing the task waits for the database.
            logger.warning("progress_not_recorded", reason=error.code, detail=str(error))

    def release(self, plan: Plan, fraction: float) -> None:
        """Commit the chunks that ``prepare`` has cut so far, with what it has saved, so that work on them begins.

        Parameters:
          plan: With the chunks cut so far, from the first one.
          fraction: Share of the recording (0–1) that they are.
        """
        try:
            early.release_chunks(self._db, self.claim, plan, artifacts=self.artifacts, fraction=fraction)
        except Unavailable as error:
            # They are released with the next ones.
            logger.warning("chunks_not_released", reason=error.code, detail=str(error))
        else:
            self.artifacts.clear()
            self._sent()

    def released_chunks(self) -> list[float]:
        """The seconds of the chunks that earlier attempts at this ``prepare`` have released, in order."""
        return early.released(self._db, self.claim, self.job.stages[0])

    def chunk_start(self) -> float:
        """The start of the task's chunk in the recording, in seconds: the sum of those before."""
        return chunk_times.before(self._db, self.claim.ref)

    def save(self, name: str, data: bytes, media_type: str, *, published: bool = False) -> None:
        """Keep bytes as a file of this attempt; committed when the task completes, for users too if published.

        They are stored under a key of their own, or if they are few and of a text of one piece, in the file's row.
        """
        # Workers of older releases, which share all other jobs, look for every file in the storage.
        if len(data) > contents.SMALL_BYTES or not self.job.in_one_piece:
            self._keep(name, media_type, self.storage.put(self._key(name), data), published)
            return
        digest = hashlib.sha256(data).hexdigest()
        self.artifacts.append(NewArtifact(name, media_type, len(data), digest, self._key(name), published, data))

    def save_json(self, name: str, value: Any, *, published: bool = False) -> None:
        """Store a value as JSON, as ``save`` does."""
        data = compact_json.dumps(value).encode()
        self.save(name, data, "application/json", published=published)

    def save_file(self, name: str, path: Path, media_type: str, *, published: bool = False) -> None:
        """Store a local file, in blocks, as ``save`` does."""
        with path.open("rb") as file:
            self._keep(name, media_type, self.storage.put(self._key(name), file), published)

    def writer(self, name: str, room: Reservation) -> ObjectWriter:
        """A writer for an object under this attempt's own key that is not committed with the task."""
        return self.storage.writer(self._key(name), room=room)

    def input_fetched(self, given: dict[str, Any]) -> bool:
        """Record the fetched input (from ``stored_input``) at once; returns False if another worker holds the task."""
        return progress.record_input(self._db, self.claim.task_id, self.claim.attempt, given)

    def reuse(self, name: str, stored: StoredObject, media_type: str) -> None:
        """Commit an object under a key made from its content, which this attempt or an earlier one has written."""
        self._keep(name, media_type, stored, published=False)

    def read(self, stage: Stage, name: str, *, chunk: int = WHOLE_JOB) -> io.BytesIO:
        """Read a file that this task or an earlier stage left, in this run or before; for files of a chunk's size.

        Raises ``NotFound`` if there is none.
        """
        return io.BytesIO(contents.read(self.storage, self._find(stage, name, chunk)))

    def read_json(self, stage: Stage, name: str, *, chunk: int = WHOLE_JOB) -> Any:
        """Read a JSON value that an earlier stage left; raises as ``read``."""
        return json.load(self.read(stage, name, chunk=chunk))

    def edits(self, chunk: int) -> dict[str, edits.EditedUtterance]:
        """The edits that people made to utterances that begin in a chunk, by the utterances' ids."""
        # Edits are carried out by later runs.
        return edits.of_job(self._db, self.claim.ref.job_id, chunk) if self.claim.ref.run > 1 else {}

    def read_former(self, name: str) -> Any | None:
        """The newest JSON value that this stage left for this chunk in an earlier run; None if there is none."""
        former = queries.former_artifact(self._db, self.claim.ref, name)
        return None if former is None else json.loads(contents.read(self.storage, former))

    def _find(self, stage: Stage, name: str, chunk: int) -> contents.Kept:
        ref = self.claim.ref
        if (stage, chunk) == (ref.stage, ref.chunk):
            for mine in self.artifacts:
                if mine.name == name:
                    return mine
        return queries.newest_artifact(self._db, ref.job_id, ref.run, chunk, stage, name)

    def _key(self, name: str) -> str:
        ref, attempt = self.claim.ref, self.claim.attempt
        chunk = "job" if ref.chunk == WHOLE_JOB else f"{ref.chunk:05d}"
        return f"jobs/{ref.job_id}/r{ref.run}/{chunk}/{ref.stage}/a{attempt}/{name}"

    def _keep(self, name: str, media_type: str, stored: StoredObject, published: bool) -> None:
        self.artifacts.append(NewArtifact(name, media_type, stored.size, stored.sha256, stored.key, published))
