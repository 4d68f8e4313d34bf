"""Sessions of browsers: a cookie in exchange for a key, for what cannot send one (links, images, event streams).

A session has the rights of its key, ends with it, and shares its limit of requests. Only a hash of the cookie is kept.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import InputError
from octavia.jobs.access import keys
from octavia.jobs.access.keys import KeyRecord
from octavia.jobs.tables.database import now, transaction
from octavia.jobs.tables.operation_rows import BrowserSession
from octavia.jobs.tables.rows import ApiKey

IDLE: Final = timedelta(minutes=30)
"""A session that is not used for so long ends."""

LONGEST: Final = timedelta(hours=12)
"""A session ends after so long, however much it is used."""

_RENEWED_AFTER: Final = IDLE / 4
_SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@transaction
def begin(session: Session, token: str) -> str:
    """Begin a session with a key; returns the cookie's value, which cannot be read again later.

    Raises ``InputError`` as ``keys.authenticate`` does.
    """
    key = keys.authenticate(session, token)
    moment = now(session)
    session.execute(sa.delete(BrowserSession).where(col(BrowserSession.expires_at) <= moment))
    cookie = secrets.token_urlsafe(_SECRET_BYTES)
    ends = _until(key, moment, moment)
    session.add(BrowserSession(key_id=key.id, token_hash=_hash(cookie), created_at=moment, expires_at=ends))
    return cookie


def authenticate(session: Session, cookie: str) -> KeyRecord:
    """Find the key of a session, and renew the session if it was begun or renewed a while ago.

    Raises ``InputError`` (``session_expired``), also if its key has expired or was revoked.
    """
    found = sa.select(BrowserSession, ApiKey).join(ApiKey, col(ApiKey.id) == col(BrowserSession.key_id))
    named = found.where(col(BrowserSession.token_hash) == _hash(cookie), col(ApiKey.revoked_at).is_(None))
    row = session.execute(named).one_or_none() if _SHAPE.fullmatch(cookie) else None
    moment = now(session)
    if row is None:
        raise _ended()
    ours, key = row[0], KeyRecord.from_row(row[1])
    ends = _until(key, ours.created_at, moment)
    if min(ours.expires_at, ends) <= moment:
        raise _ended()
    if ends - ours.expires_at >= _RENEWED_AFTER:
        session.execute(sa.update(BrowserSession).where(col(BrowserSession.id) == ours.id).values(expires_at=ends))
    return key


@transaction
def end(session: Session, cookie: str) -> None:
    """End a session; one that is not known has ended already."""
    session.execute(sa.delete(BrowserSession).where(col(BrowserSession.token_hash) == _hash(cookie)))


def _until(key: KeyRecord, begun: datetime, moment: datetime) -> datetime:
    """Return when a session ends that is used now: never after its key."""
    ends = min(moment + IDLE, begun + LONGEST)
    return ends if key.expires_at is None else min(ends, key.expires_at)


def _ended() -> InputError:
    return InputError(
        "The session has ended.", code="session_expired", hint="Sign in again with your key; nothing else is lost."
    )


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
