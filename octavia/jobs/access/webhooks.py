"""Webhook deliveries of a job's end: due ones, leased ones, and their outcomes."""

import math
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import NotFound
from octavia.jobs.tables.cursors import read_cursor, write_cursor
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.queries import get
from octavia.jobs.tables.records import copied
from octavia.jobs.tables.rows import ApiKey, Job, WebhookDelivery
from octavia.jobs.tables.states import DeliveryStatus
from octavia.jobs.tables.transitions import lock_owned
from octavia.links import job_links

PERIOD: Final = timedelta(days=3)
"""Time for which a delivery is retried: a receiver that breaks on a Friday evening is mended on Monday."""

_FIRST_PAUSE: Final = 5.0
_FACTOR: Final = 3
_LONGEST_PAUSE: Final = 6 * 3600.0
_JITTER: Final = 0.2
_ERROR_LENGTH: Final = 500


class Verdict(Enum):
    """The verdict on an attempt to deliver; ``GONE``: the receiver said that it wants no more of it."""

    DELIVERED = auto()
    TRY_AGAIN = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an attempt: the receiver's HTTP ``status``, the problem, the seconds it asked us to wait."""

    verdict: Verdict
    status: int | None = None
    error: str | None = None
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class LeasedDelivery:
    """A delivery that this process may make until ``until``, which also fences the recording of its outcome.

    Parameters:
      at: The time of leasing, by the database's clock: receivers check the time, and this machine's may be off.
      secret: Empty takes the operator's secret.
    """

    id: UUID
    job_id: UUID
    url: str = field(repr=False)
    secret: str = field(repr=False)
    payload: dict[str, Any] = field(repr=False)
    attempt: int
    at: datetime
    until: datetime

    def below(self, root: str) -> "LeasedDelivery":
        """Return the delivery with the links of an API that a proxy serves under the path ``root``."""
        data = {**self.payload["data"], "links": job_links(self.job_id, root)}
        return replace(self, payload={**self.payload, "data": data})


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery when it was read: the columns of ``rows.WebhookDelivery`` that its owner may see, and that owner."""

    id: UUID
    job_id: UUID
    owner: str
    type: str
    url: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    response_status: int | None
    error: str | None

    @classmethod
    def from_row(cls, row: WebhookDelivery, owner: str) -> "DeliveryRecord":
        """Copy a row; ``owner`` is that of its job."""
        due = row.next_attempt_at if row.status is DeliveryStatus.PENDING else None
        return copied(cls, row, owner=owner, next_attempt_at=due)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries, newest first, and the cursor of the next page; None on the last one."""

    deliveries: tuple[DeliveryRecord, ...]
    next_cursor: str | None


def announce(session: Session, job: Job) -> None:
    """Schedule the delivery of a job's end, if it or its key has a webhook, in the transaction that ends the job."""
    key = session.get(ApiKey, job.key_id) if job.key_id else None
    url = job.webhook_url or (key.webhook_url if key else None)
    if url is None:
        return
    moment = now(session)
    type_ = f"job.{job.status.value}"
    session.add(
        WebhookDelivery(
            job_id=job.id,
            type=type_,
            url=url,
            secret=job.webhook_secret or (key.webhook_secret if key else ""),
            payload={"type": type_, "timestamp": moment.isoformat(), "data": _data(job)},
            created_at=moment,
            next_attempt_at=moment,
            give_up_at=moment + PERIOD,
        )
    )


def lease(db: Database, *, limit: int, seconds: float) -> list[LeasedDelivery]:
    """Lease up to ``limit`` due deliveries, oldest first, for ``seconds``."""
    # Look before leasing: an idle courier must not take SQLite's write lock every second.
    with db.reading() as session:
        if session.scalars(sa.select(col(WebhookDelivery.id)).where(_due(now(session))).limit(1)).first() is None:
            return []
    return _lease_due(db, limit, seconds)


@transaction
def _lease_due(session: Session, limit: int, seconds: float) -> list[LeasedDelivery]:
    moment = now(session)
    due = sa.select(WebhookDelivery).where(_due(moment)).order_by(col(WebhookDelivery.next_attempt_at)).limit(limit)
    rows = session.scalars(due.with_for_update(skip_locked=True)).all()
    until = moment + timedelta(seconds=seconds)
    for row in rows:
        row.leased_until = until
        row.last_attempt_at = moment
        row.attempts += 1
    return [copied(LeasedDelivery, row, attempt=row.attempts, at=moment, until=until) for row in rows]


@transaction
def record(session: Session, leased: LeasedDelivery, outcome: Outcome) -> DeliveryStatus | None:
    """Store the outcome of an attempt and schedule the next one; returns the delivery's status.

    None means that the lease was lost: it ended, or another delivery was requested.
    """
    mine = {"id": leased.id, "status": DeliveryStatus.PENDING, "leased_until": leased.until}
    row = session.scalars(sa.select(WebhookDelivery).filter_by(**mine).with_for_update()).one_or_none()
    if row is None:
        return None
    row.leased_until = None
    row.response_status = outcome.status
    row.error = outcome.error and outcome.error[:_ERROR_LENGTH]
    match outcome.verdict:
        case Verdict.DELIVERED:
            row.status = DeliveryStatus.DELIVERED
        case Verdict.GONE:
            row.status = DeliveryStatus.FAILED
        case Verdict.TRY_AGAIN:
            row.next_attempt_at = now(session) + timedelta(seconds=pause(row.attempts, outcome.retry_after))
            if row.next_attempt_at > row.give_up_at:
                row.status = DeliveryStatus.FAILED
    return row.status


def pause(attempts: int, retry_after: float = 0.0) -> float:
    """Return the seconds until the next attempt: longer after each one, or as long as the receiver asked, bounded."""
    usual = min(_FIRST_PAUSE * math.pow(_FACTOR, min(attempts - 1, 20)), _LONGEST_PAUSE)
    return max(usual * random.uniform(1 - _JITTER, 1 + _JITTER), min(retry_after, _LONGEST_PAUSE))


def deliveries(db: Database, job_id: UUID, owner: str) -> tuple[DeliveryRecord, ...]:
    """List a job's deliveries, newest first. Raises ``NotFound`` if the owner has no such job."""
    get(db, job_id, owner)
    of_job = sa.select(WebhookDelivery).where(col(WebhookDelivery.job_id) == job_id)
    with db.reading() as session:
        rows = session.scalars(of_job.order_by(col(WebhookDelivery.id).desc())).all()
        return tuple(DeliveryRecord.from_row(row, owner) for row in rows)


def list_deliveries(
    db: Database,
    owner: str | None,
    status: DeliveryStatus | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> DeliveryPage:
    """List the deliveries of all jobs, newest first, a page at a time. Raises ``InputError`` (``invalid_cursor``).

    Parameters:
      owner: The owner of the jobs; None means all owners.
      status: Only those with this status.
    """
    query = _of_jobs(owner).order_by(col(WebhookDelivery.id).desc())
    if status is not None:
        query = query.where(col(WebhookDelivery.status) == status)
    if cursor is not None:
        query = query.where(col(WebhookDelivery.id) < read_cursor(cursor))
    with db.reading() as session:
        rows = session.execute(query.limit(limit + 1)).all()
    found = tuple(DeliveryRecord.from_row(row, whose) for row, whose in rows[:limit])
    return DeliveryPage(found, write_cursor(found[-1].id) if len(rows) > limit else None)


def find(db: Database, delivery_id: UUID, owner: str | None) -> DeliveryRecord:
    """Read one delivery of any job of an owner; None means all owners. Raises ``NotFound`` (``delivery_not_found``)."""
    with db.reading() as session:
        found = session.execute(_of_jobs(owner).where(col(WebhookDelivery.id) == delivery_id)).one_or_none()
    if found is None:
        raise _no_delivery(f"There is no webhook {delivery_id}.", "List the webhooks to see their ids.")
    return DeliveryRecord.from_row(*found)


@transaction
def redeliver(session: Session, job_id: UUID, delivery_id: UUID, owner: str) -> DeliveryRecord:
    """Send a delivery again at once, under its id, with retries as for a new one.

    Raises ``NotFound`` if the owner has no such job, or the job no such delivery (``delivery_not_found``).
    """
    lock_owned(session, job_id, owner)
    one = sa.select(WebhookDelivery).filter_by(id=delivery_id, job_id=job_id)
    row = session.scalars(one.with_for_update()).one_or_none()
    if row is None:
        raise _no_delivery(f"This job has no webhook {delivery_id}.", "List the job's webhooks to see their ids.")
    moment = now(session)
    row.status = DeliveryStatus.PENDING
    row.attempts = 0
    row.leased_until = None
    row.next_attempt_at = moment
    row.give_up_at = moment + PERIOD
    return DeliveryRecord.from_row(row, owner)


@transaction
def prune(session: Session, older_than: timedelta) -> int:
    """Delete finished deliveries that are older than this; returns their number."""
    old = sa.delete(WebhookDelivery).where(
        col(WebhookDelivery.status) != DeliveryStatus.PENDING,
        col(WebhookDelivery.created_at) < now(session) - older_than,
    )
    return len(session.scalars(old.returning(col(WebhookDelivery.id))).all())


def _of_jobs(owner: str | None) -> sa.Select[WebhookDelivery, str]:
    """Select deliveries with their owner, but for those of deleted jobs."""
    query = sa.select(WebhookDelivery, col(Job.owner)).join(Job, col(Job.id) == col(WebhookDelivery.job_id))
    query = query.where(col(Job.deleted_at).is_(None))
    return query if owner is None else query.where(col(Job.owner) == owner)


def _no_delivery(message: str, hint: str) -> NotFound:
    return NotFound(message, code="delivery_not_found", hint=hint, field="delivery_id")


def _due(moment: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(WebhookDelivery.status) == DeliveryStatus.PENDING,
        col(WebhookDelivery.next_attempt_at) <= moment,
        sa.or_(col(WebhookDelivery.leased_until).is_(None), col(WebhookDelivery.leased_until) <= moment),
    )


def _data(job: Job) -> dict[str, Any]:
    error = {"code": job.error_code, "message": job.error_message, "hint": job.error_hint} if job.error_code else None
    return {
        "id": str(job.id),
        "type": job.type.value,
        "status": job.status.value,
        "source_language": job.source_language,
        "target_language": job.target_language,
        "metadata": job.meta,
        "error": error,
        "run": job.run,
        "revision": job.revision,
        "duration": job.duration,
        "links": job_links(job.id),
    }
