"""Limits of a key: requests a minute, and unfinished jobs; counted in the database, so for all API processes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import InputError
from octavia.jobs.access import keys
from octavia.jobs.access.keys import KeyRecord
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.rows import ApiKey, Job, RateLimit
from octavia.jobs.tables.states import JobStatus

_WINDOW: Final = timedelta(minutes=1)
_SEEN_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Rate:
    """A key's requests: ``remaining`` of ``limit``, and all of them again in ``reset`` seconds."""

    limit: int
    remaining: int
    reset: float


class TooMany(InputError):
    """A key exceeds a limit; try again after ``retry_after`` seconds."""

    code = "rate_limited"

    def __init__(
        self, message: str, *, retry_after: float, code: str | None = None, hint: str = "", rate: Rate | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after = retry_after
        self.rate = rate


@transaction
def admit(
    session: Session,
    credential: str,
    *,
    requests_per_minute: int,
    authenticate: Callable[[Session, str], KeyRecord] = keys.authenticate,
) -> tuple[KeyRecord, Rate | None]:
    """Authenticate a request's key and count the request; returns the key and its remaining requests, if limited.

    A key's bucket holds ``limit`` requests and refills evenly within a minute. Its row stores only the moment at which
    it will be full (generic cell rate algorithm).

    Raises ``InputError`` as ``authenticate`` does, and ``TooMany`` (``rate_limited``).

    Parameters:
      requests_per_minute: The limit of keys without one of their own; 0 for none.
      authenticate: Finds the key of the credential, which may also be a session's cookie.
    """
    key = authenticate(session, credential)
    limit = requests_per_minute if key.requests_per_minute is None else key.requests_per_minute
    moment, full_at = _lock_bucket(session, key.id)
    rate = None
    if limit:
        full_at, rate = _take(full_at, moment, limit)
        session.execute(sa.update(RateLimit).where(col(RateLimit.key_id) == key.id).values(full_at=full_at))
    if key.last_used_at is None or moment - key.last_used_at >= _SEEN_EVERY:
        session.execute(sa.update(ApiKey).where(col(ApiKey.id) == key.id).values(last_used_at=moment))
    return key, rate


def check_jobs(db: Database, key_id: UUID, most: int, *, arriving: Collection[UUID] = ()) -> None:
    """Raise ``TooMany`` (``too_many_jobs``), before an input is received, if a key has ``most`` unfinished jobs.

    Parameters:
      arriving: Ids of jobs whose requests are being received; they count whether or not they are made yet.
    """
    with db.reading() as session:
        _check_jobs(session, key_id, most, arriving)


def reserve_job(session: Session, key_id: UUID, most: int) -> None:
    """Check like ``check_jobs``, and keep other transactions from creating a job of this key until this one ends."""
    _lock_key(session, key_id)
    _check_jobs(session, key_id, most)


def reserve_run(session: Session, job: Job, most: int) -> None:
    """Check like ``reserve_job`` before a job that has ended gets a new run, with the limit of the key that made it.

    Parameters:
      most: The limit of keys without one of their own; 0 for none.
    """
    if job.key_id is None:
        return
    own = _lock_key(session, job.key_id)
    if limit := most if own is None else own:
        _check_jobs(session, job.key_id, limit)


def too_many_jobs(most: int) -> TooMany:
    """Return the error for a key that has ``most`` jobs in flight."""
    return TooMany(
        f"This key has {most} jobs in flight already.",
        code="too_many_jobs",
        retry_after=10.0,
        hint="Wait until one has ended, or cancel one; jobs not started yet count too.",
    )


def count_queued_jobs(db: Database, most: int) -> int:
    """Count the queued jobs of all owners, up to ``most``."""
    waiting = sa.select(col(Job.id)).where(col(Job.status) == JobStatus.QUEUED).limit(most).subquery()
    with db.reading() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(waiting)).one()


def _lock_bucket(session: Session, key_id: UUID) -> tuple[datetime, datetime]:
    bucket = sa.select(col(RateLimit.full_at)).where(col(RateLimit.key_id) == key_id)
    if session.get_bind().dialect.name != "postgresql":
        return now(session), session.scalars(bucket).one()
    # One statement, as every request waits for it. A crash of the server may lose the last moments of counting:
    # that is not worth a flush each time.
    asked = bucket.add_columns(sa.func.clock_timestamp(), sa.func.set_config("synchronous_commit", "off", True))
    full_at, moment, _ = session.execute(asked.with_for_update()).one()
    return moment, full_at


def _take(full_at: datetime, moment: datetime, limit: int) -> tuple[datetime, Rate]:
    # Rounded down: ``limit`` of them must fit into the minute.
    each = timedelta(microseconds=_WINDOW // timedelta(microseconds=1) // limit)
    left = _WINDOW - (max(full_at, moment) + each - moment)
    if left < timedelta(0):
        reset = (full_at - moment).total_seconds()
        raise TooMany(
            f"This key may send {limit} requests a minute.",
            retry_after=-left.total_seconds(),
            hint="Wait as long as Retry-After says; to follow a job, read its events instead of polling.",
            rate=Rate(limit, 0, reset),
        )
    return moment + _WINDOW - left, Rate(limit, left // each, (_WINDOW - left).total_seconds())


def _lock_key(session: Session, key_id: UUID) -> int | None:
    """Keep other transactions from doing so until this one ends; returns the key's own limit of jobs in flight.

    None is that it has none, or that the key was removed from the database.
    """
    own = sa.select(col(ApiKey.jobs_in_flight)).where(col(ApiKey.id) == key_id)
    return session.scalars(own.with_for_update(key_share=True)).one_or_none()


def _check_jobs(session: Session, key_id: UUID, most: int, arriving: Collection[UUID] = ()) -> None:
    unfinished = [status for status in JobStatus if not status.ended]
    mine = sa.select(col(Job.id)).where(col(Job.key_id) == key_id, col(Job.status).in_(unfinished))
    found = mine.where(col(Job.id).not_in(arriving)).limit(most).subquery()
    if session.scalars(sa.select(sa.func.count()).select_from(found)).one() + len(arriving) >= most:
        raise too_many_jobs(most)
