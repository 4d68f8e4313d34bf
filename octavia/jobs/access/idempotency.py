"""Idempotency keys: a request that is sent again with its key gets the first answer, and takes effect once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.jobs.tables.database import Database, count_changed, insert, now, transaction
from octavia.jobs.tables.failures import Contended
from octavia.jobs.tables.records import copied
from octavia.jobs.tables.rows import IdempotencyKey

KEPT: Final = timedelta(hours=24)
"""Time for which a key gets the first answer again."""

ABANDONED: Final = timedelta(seconds=60)
"""A claim that was not renewed for this long is free: its holder has crashed."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One use of a key; other owners, methods and paths may use an equal key."""

    owner: str
    method: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """The right to serve a slot; ``token`` fences off earlier holders."""

    id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class Busy:
    """Another request serves the slot; unless it renews its claim, the slot is free in ``free_in`` seconds."""

    free_in: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """The first request with the key: its sha256, job and answer (``status`` None: made from the job each time)."""

    fingerprint: str
    job_id: UUID | None
    status: int | None
    headers: dict[str, str]
    body: bytes

    @classmethod
    def from_row(cls, row: IdempotencyKey) -> "Recorded | None":
        """Copy a row; None while the first request has no answer."""
        if row.fingerprint is None:
            return None
        return copied(cls, row, body=row.body or b"")


class Overtaken(Exception):
    """Another request took the slot over, because this one had not renewed its claim."""


@transaction
def claim(session: Session, slot: Slot) -> KeyClaim | Busy | Recorded:
    """Take a free slot; of several requests at once, one gets it."""
    moment, mine = now(session), KeyClaim(uuid7(), uuid4())
    if _insert(session, slot, mine, moment):
        return mine
    row = session.scalars(_of(slot).with_for_update()).one_or_none()
    if row is None:
        raise Contended("The row of an idempotency key was deleted meanwhile.")
    if row.expires_at > moment:
        if (recorded := Recorded.from_row(row)) is not None:
            return recorded
        if (free_in := row.seen_at + ABANDONED - moment) > timedelta(0):
            return Busy(free_in.total_seconds())
    row.claim, row.seen_at, row.expires_at = mine.token, moment, moment + KEPT
    row.fingerprint, row.job_id, row.status, row.headers, row.body = None, None, None, {}, None
    return KeyClaim(row.id, mine.token)


def get(db: Database, slot: Slot) -> Busy | Recorded | None:
    """Read the state of a slot; None if it is free."""
    with db.reading() as session:
        row, moment = session.scalars(_of(slot)).one_or_none(), now(session)
        if row is None or row.expires_at <= moment:
            return None
        return Recorded.from_row(row) or Busy((row.seen_at + ABANDONED - moment).total_seconds())


@transaction
def renew(session: Session, claim: KeyClaim) -> None:
    """Keep a claim for another ``ABANDONED``."""
    session.execute(sa.update(IdempotencyKey).where(_held(claim)).values(seen_at=now(session)))


def record(
    session: Session,
    claim: KeyClaim,
    fingerprint: str,
    *,
    job_id: UUID,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> None:
    """Store a request's job and answer, in the transaction that creates the job.

    Raises ``Overtaken`` if the claim is lost: nothing may be created.
    """
    values = {"claim": None, "fingerprint": fingerprint, "job_id": job_id, "expires_at": now(session) + KEPT}
    done = sa.update(IdempotencyKey).where(_held(claim)).values(status=status, body=body, **values)
    if count_changed(session, done.values(headers=dict(headers or {}))) != 1:
        raise Overtaken


@transaction
def release(session: Session, claim: KeyClaim) -> None:
    """Free the slot of a request that failed; does nothing if it was recorded or taken over."""
    session.execute(sa.delete(IdempotencyKey).where(_held(claim)))


@transaction
def forget(session: Session, job_id: UUID) -> None:
    """Free the key of a request that is answered with its job's result, after the job failed."""
    session.execute(sa.delete(IdempotencyKey).where(col(IdempotencyKey.job_id) == job_id))


@transaction
def prune(session: Session) -> int:
    """Delete expired keys; returns their number."""
    return count_changed(session, sa.delete(IdempotencyKey).where(col(IdempotencyKey.expires_at) <= now(session)))


def _insert(session: Session, slot: Slot, mine: KeyClaim, moment: datetime) -> bool:
    """Create the slot's row; returns False if it exists."""
    row = insert(session, IdempotencyKey).values(
        id=mine.id, claim=mine.token, seen_at=moment, headers={}, expires_at=moment + KEPT, **asdict(slot)
    )
    return session.scalars(row.on_conflict_do_nothing().returning(col(IdempotencyKey.id))).first() is not None


def _of(slot: Slot) -> sa.Select[IdempotencyKey]:
    return sa.select(IdempotencyKey).filter_by(**asdict(slot))


def _held(claim: KeyClaim) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(IdempotencyKey.id) == claim.id,
        col(IdempotencyKey.claim) == claim.token,
        col(IdempotencyKey.fingerprint).is_(None),
    )
