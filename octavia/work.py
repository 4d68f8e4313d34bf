"""The task in hand: what an actor may know and do while it works. The status middleware makes one per message."""

import io
import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import structlog

from octavia.errors import Canceled, LeaseLost, Stopping, TimeLimitExceeded, Unavailable
from octavia.jobs.lifecycle import edits
from octavia.jobs.protocol import claims, inputs
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Claim, Detected, Heard, JobRecord, NewArtifact, Plan
from octavia.jobs.tables.states import WHOLE_JOB, Stage
from octavia.settings import Settings
from octavia.storage import ObjectWriter, Storage, StoredObject

_REPORT_EVERY = 1.0

logger = structlog.get_logger()


class Work:
    """One claimed attempt at a task.

    Parameters:
      claim: What was claimed, with the job as it was then.
      loading: Opened around loading or fetching a model, which has a time limit of its own.

    Attributes:
      canceled, lease_lost, stopping: Set by other threads; the next checkpoint raises.
      soft_deadline: Monotonic time after which the next checkpoint raises.
      artifacts, warnings, plan, detected, dub: What completing the task will commit.
      untold: What was recognised and goes out to those who watch the job with the next report, or on completion.
    """

    def __init__(
        self,
        db: Database,
        claim: Claim,
        storage: Storage,
        settings: Settings,
        *,
        loading: Callable[[], AbstractContextManager[None]] = nullcontext,
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
        self.dub: dict[str, float] | None = None
        self.untold: list[Heard] = []
        self._db = db
        self._reported = time.monotonic()

    @property
    def job(self) -> JobRecord:
        """The job as it was when the task was claimed."""
        return self.claim.job

    def checkpoint(self, fraction: float) -> None:
        """Called between two pieces: stop if told to, and report progress (0–1) and ``untold``, once a second at most.

        Raises:
          Canceled, LeaseLost, Stopping: The task must stop now.
          TimeLimitExceeded: The soft limit has passed.
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
        if now - self._reported >= _REPORT_EVERY:
            self._report(fraction)
            self._reported = time.monotonic()

    def _report(self, fraction: float) -> None:
        try:
            claims.record_progress(self._db, self.claim.task_id, self.claim.attempt, fraction, self.untold)
            self.untold.clear()
        except Unavailable as error:
            # No reason to lose the work: the result waits for the database, should it still be away then.
            logger.warning("progress_not_recorded", reason=error.code, detail=str(error))

    def save(self, name: str, data: bytes, media_type: str, *, published: bool = False) -> None:
        """Store bytes under this attempt's own key, to be committed when the task completes."""
        self._keep(name, media_type, self.storage.put(self._key(name), data), published)

    def save_json(self, name: str, value: Any, *, published: bool = False) -> None:
        """Store a value as JSON."""
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        self.save(name, data, "application/json", published=published)

    def save_file(self, name: str, path: Path, media_type: str, *, published: bool = False) -> None:
        """Store a local file, in blocks."""
        with path.open("rb") as file:
            self._keep(name, media_type, self.storage.put(self._key(name), file), published)

    def writer(self, name: str) -> ObjectWriter:
        """A writer for an object under this attempt's own key that no stage is to commit."""
        return self.storage.writer(self._key(name))

    def input_fetched(self, given: dict[str, Any]) -> bool:
        """Note at once what the job works on from now on; False when another worker holds this task."""
        return inputs.fetched(self._db, self.claim.task_id, self.claim.attempt, given)

    def reuse(self, name: str, stored: StoredObject, media_type: str) -> None:
        """Commit an object that lies under a key of its content, written by this attempt or an earlier one."""
        self._keep(name, media_type, stored, published=False)

    def key_of(self, stage: Stage, name: str, *, chunk: int = WHOLE_JOB) -> str:
        """The storage key of what an earlier stage left, in this run or one before.

        Raises:
          NotFound: That stage left no such thing.
        """
        ref = self.claim.ref
        return queries.effective_artifact(self._db, ref.job_id, ref.run, chunk, stage, name).storage_key

    def read(self, stage: Stage, name: str, *, chunk: int = WHOLE_JOB) -> io.BytesIO:
        """What an earlier stage left, whole; for objects of a chunk's size."""
        return io.BytesIO(self.storage.get(self.key_of(stage, name, chunk=chunk)))

    def read_json(self, stage: Stage, name: str, *, chunk: int = WHOLE_JOB) -> Any:
        """A JSON value that an earlier stage left."""
        return json.load(self.read(stage, name, chunk=chunk))

    def edits(self, chunk: int) -> dict[str, edits.Mended]:
        """What people have mended of the utterances that begin in a chunk, by their ids."""
        return edits.of_chunk(self._db, self.claim.ref.job_id, chunk)

    def read_former(self, name: str) -> Any | None:
        """A JSON value that the same stage of the same chunk left in an earlier run, the newest; None: nothing."""
        key = queries.former_artifact_key(self._db, self.claim.ref, name)
        return None if key is None else json.loads(self.storage.get(key))

    def _key(self, name: str) -> str:
        ref, attempt = self.claim.ref, self.claim.attempt
        chunk = "job" if ref.chunk == WHOLE_JOB else f"{ref.chunk:05d}"
        return f"jobs/{ref.job_id}/r{ref.run}/{chunk}/{ref.stage}/a{attempt}/{name}"

    def _keep(self, name: str, media_type: str, stored: StoredObject, published: bool) -> None:
        self.artifacts.append(NewArtifact(name, media_type, stored.size, stored.sha256, stored.key, published))
