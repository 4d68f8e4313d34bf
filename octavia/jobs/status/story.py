"""The story of a job, in order: what was asked for, each attempt at each task, and what came of it.

It is read from rows that are there anyway. The events of a job that has expired are gone; its attempts are not.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import InputError
from octavia.jobs.status import attempts
from octavia.jobs.status.attempts import AttemptRecord
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import find_job
from octavia.jobs.tables.records import ErrorRecord, JobRecord
from octavia.jobs.tables.rows import Event, WebhookDelivery
from octavia.jobs.tables.states import WHOLE_JOB, AttemptOutcome, Stage


class What(StrEnum):
    """The kinds of entries."""

    SUBMITTED = "submitted"
    QUEUED = "queued"
    ATTEMPT = "attempt"
    CANCEL_REQUESTED = "cancel_requested"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    WEBHOOK = "webhook"


_LIFE: Final = frozenset({"queued", "completed", "failed", "canceled"})
"""The types of events that are entries."""

_RUNNING: Final = "running"
_ORDER: Final = {what: place for place, what in enumerate(What)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to a job.

    Parameters:
      at: Its time; of an attempt its start, of a webhook the time it was written down.
      edits: The utterances whose edits a run carries out.
      attempt: Which attempt at its task it is, as they count towards the limit: one that was given back does not, and
        has the number of the one that follows it.
      status: Of an attempt: ``running`` or its outcome. Of a webhook: as its delivery.
      worker: The id of the worker process, ``host:pid:slot``.
      waited: Seconds in the queue, without the pause before a retry.
      next_at: The end of the pause before the next attempt.
      id: Of a webhook.
    """

    at: datetime
    what: What
    run: int | None = None
    edits: int | None = None
    stage: Stage | None = None
    chunk: int | None = None
    attempt: int | None = None
    status: str | None = None
    worker: str | None = None
    waited: float | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None
    error: ErrorRecord | None = None
    id: UUID | None = None

    @property
    def key(self) -> str:
        """Its place in the story; nothing that happens later comes before it."""
        which = f"{self.run} {self.stage} {self.chunk} {self.attempt} {self.id}"
        return f"{self.at.timestamp():017.6f} {_ORDER[self.what]:02} {which}"


@dataclass(frozen=True, slots=True)
class StoryPage:
    """Some entries, oldest first, and the cursor of the next page; None on the last one."""

    entries: tuple[Entry, ...]
    next_cursor: str | None


def of_job(db: Database, job_id: UUID, owner: str | None, *, cursor: str | None = None, limit: int = 100) -> StoryPage:
    """Read a page of the story of a job.

    Parameters:
      owner: None reads a job of any owner.

    Raises:
      NotFound: The owner has no such job, or it was deleted.
      InputError: ``invalid_cursor``.
    """
    after = "" if cursor is None else _read_cursor(cursor)
    with db.reading() as session:
        job = find_job(session, job_id, owner)
        found = sorted(_entries(session, job), key=lambda entry: entry.key)
    left = [entry for entry in found if entry.key > after]
    page = left[:limit]
    return StoryPage(tuple(page), _write_cursor(page[-1].key) if len(left) > limit else None)


def _entries(session: Session, job: JobRecord) -> Iterator[Entry]:
    yield Entry(job.created_at, What.SUBMITTED)
    if job.cancel_requested_at is not None:
        yield Entry(job.cancel_requested_at, What.CANCEL_REQUESTED, job.run)
    events = session.scalars(sa.select(Event).where(_told(job.id)).order_by(col(Event.seq))).all()
    yield from _life(events) if events else _remembered(job)
    yield from _attempts(attempts.read(session, job.id), _pauses(events))
    for row in session.scalars(sa.select(WebhookDelivery).where(col(WebhookDelivery.job_id) == job.id)):
        error = ErrorRecord("webhook_failed", row.error, "") if row.error else None
        yield Entry(
            row.created_at, What.WEBHOOK, status=row.status.value, ended_at=row.last_attempt_at, error=error, id=row.id
        )


def _told(job_id: UUID) -> sa.ColumnElement[bool]:
    """Clause on ``Event``: it is of this job, and part of its story. The others are many."""
    retrying = sa.and_(col(Event.type) == "stage", col(Event.data)["status"].as_string() == "retrying")
    return sa.and_(col(Event.job_id) == job_id, sa.or_(col(Event.type).in_(_LIFE), retrying))


def _life(events: Sequence[Event]) -> Iterator[Entry]:
    run = 1
    for event in events:
        if event.type not in _LIFE:
            continue
        run = event.data.get("run", run)
        failed = event.type == What.FAILED
        error = ErrorRecord(event.data["code"], event.data["message"], event.data["hint"]) if failed else None
        yield Entry(event.created_at, What(event.type), run, event.data.get("edits"), error=error)


def _remembered(job: JobRecord) -> Iterator[Entry]:
    """Tell of the newest run from the job itself."""
    if job.queued_at is not None:
        yield Entry(job.queued_at, What.QUEUED, job.run)
    if job.finished_at is not None and job.status.ended:
        yield Entry(job.finished_at, What(job.status.value), job.run, error=job.error)


_Try = tuple[int, int, Stage, int]
"""An attempt by run, chunk and stage, and by its number as it counts."""


def _pauses(events: Sequence[Event]) -> Mapping[_Try, datetime]:
    """The ends of the pauses after attempts that will be repeated."""
    found: dict[_Try, datetime] = {}
    run = 1
    for event in events:
        data: dict[str, Any] = event.data
        run = data.get("run", run)
        if event.type == "stage":
            stage = Stage(data["stage"])
            found[run, data["chunk"], stage, data["attempt"]] = datetime.fromisoformat(data["next_at"])
    return found


def _attempts(records: Sequence[AttemptRecord], pauses: Mapping[_Try, datetime]) -> Iterator[Entry]:
    given_back: dict[UUID, int] = {}
    for one in records:
        before = given_back.get(one.task_id, 0)
        number = one.number - before
        if one.outcome is AttemptOutcome.GIVEN_BACK:
            given_back[one.task_id] = before + 1
        due = max(filter(None, (one.queued_at, pauses.get((one.run, one.chunk, one.stage, number - 1)))), default=None)
        next_at = pauses.get((one.run, one.chunk, one.stage, number))
        yield Entry(
            one.started_at,
            What.ATTEMPT,
            one.run,
            stage=one.stage,
            chunk=None if one.chunk == WHOLE_JOB else one.chunk,
            attempt=number,
            status=one.outcome.value if one.outcome else _RUNNING,
            worker=one.worker,
            waited=None if due is None else max(0.0, (one.started_at - due).total_seconds()),
            ended_at=one.ended_at,
            next_at=next_at if one.outcome is AttemptOutcome.RETRYING else None,
            error=ErrorRecord(one.error_code, one.error_message or "", "") if one.error_code else None,
        )


def _write_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise InputError(
            "This cursor does not come from a page of this log.",
            code="invalid_cursor",
            hint="Send next_cursor of the previous page unchanged, or no cursor for the first page.",
            field="cursor",
        ) from None
