"""Requests that have their effect once, however often they are sent: told apart by a key that the client chose."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.jobs.tables.database import Contended, Database, now, transaction
from octavia.jobs.tables.records import copied
from octavia.jobs.tables.rows import IdempotencyKey

KEPT: Final = timedelta(hours=24)
"""For so long the same key gets the first answer again."""

ABANDONED: Final = timedelta(seconds=60)
"""A claim that nobody got on with for so long is free: whoever had it has crashed."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What one use of a key is about: the same key may be used elsewhere, and by others."""

    owner: str
    method: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """A slot that is ours to serve; ``token`` is the fence against whoever had it before."""

    id: UUID
    token: UUID


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else serves it; unless they get on with it, it is free in so many seconds."""

    free_in: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the first request with the key asked for, made and was answered.

    Parameters:
      fingerprint: sha256 of what was asked for.
      status: None where the answer is made from the job each time.
    """

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
    """Somebody else took the slot over, because we had not got on for so long."""


@transaction
def claim(session: Session, slot: Slot) -> KeyClaim | Busy | Recorded:
    """Take a slot that nobody serves; of several who try at once, one gets it."""
    moment, mine = now(session), KeyClaim(uuid7(), uuid4())
    if _insert(session, slot, mine, moment):
        return mine
    row = session.scalars(_of(slot).with_for_update()).one_or_none()
    if row is None:
        raise Contended("The row of an idempotency key went between two looks at it.")
    if row.expires_at > moment:
        if (recorded := Recorded.from_row(row)) is not None:
            return recorded
        if (free_in := row.seen_at + ABANDONED - moment) > timedelta(0):
            return Busy(free_in.total_seconds())
    row.claim, row.seen_at, row.expires_at = mine.token, moment, moment + KEPT
    row.fingerprint, row.job_id, row.status, row.headers, row.body = None, None, None, {}, None
    return KeyClaim(row.id, mine.token)


def get(db: Database, slot: Slot) -> Busy | Recorded | None:
    """How a slot stands; None: nobody serves it."""
    with db.reading() as session:
        row, moment = session.scalars(_of(slot)).one_or_none(), now(session)
        if row is None or row.expires_at <= moment:
            return None
        return Recorded.from_row(row) or Busy((row.seen_at + ABANDONED - moment).total_seconds())


@transaction
def renew(session: Session, claim: KeyClaim) -> None:
    """Say that we are getting on with it."""
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
    """Write down what a request made and is answered, in the transaction that makes it.

    Raises:
      Overtaken: The slot is no longer ours: nothing may be made.
    """
    done = sa.update(IdempotencyKey).where(_held(claim))
    moment = now(session)
    values = {"claim": None, "fingerprint": fingerprint, "job_id": job_id, "expires_at": moment + KEPT}
    result = session.execute(done.values(status=status, headers=dict(headers or {}), body=body, **values))
    if cast("sa.CursorResult[Any]", result).rowcount != 1:
        raise Overtaken


@transaction
def release(session: Session, claim: KeyClaim) -> None:
    """Free a slot whose request came to nothing; one that was recorded or taken over is left alone."""
    session.execute(sa.delete(IdempotencyKey).where(_held(claim)))


@transaction
def forget(session: Session, job_id: UUID) -> None:
    """Free the key of a request whose job came to nothing, where that is the answer to the request."""
    session.execute(sa.delete(IdempotencyKey).where(col(IdempotencyKey.job_id) == job_id))


@transaction
def prune(session: Session) -> int:
    """Forget what has expired; returns how many keys went."""
    old = sa.delete(IdempotencyKey).where(col(IdempotencyKey.expires_at) <= now(session))
    return cast("sa.CursorResult[Any]", session.execute(old)).rowcount


def _insert(session: Session, slot: Slot, mine: KeyClaim, moment: datetime) -> bool:
    """Whether there was no row for this slot, and now is ours."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(IdempotencyKey).values(
        id=mine.id,
        owner=slot.owner,
        method=slot.method,
        path=slot.path,
        key=slot.key,
        claim=mine.token,
        seen_at=moment,
        headers={},
        expires_at=moment + KEPT,
    )
    return session.scalars(row.on_conflict_do_nothing().returning(col(IdempotencyKey.id))).first() is not None


def _of(slot: Slot) -> sa.Select[IdempotencyKey]:
    return sa.select(IdempotencyKey).where(
        col(IdempotencyKey.owner) == slot.owner,
        col(IdempotencyKey.method) == slot.method,
        col(IdempotencyKey.path) == slot.path,
        col(IdempotencyKey.key) == slot.key,
    )


def _held(claim: KeyClaim) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(IdempotencyKey.id) == claim.id,
        col(IdempotencyKey.claim) == claim.token,
        col(IdempotencyKey.fingerprint).is_(None),
    )
