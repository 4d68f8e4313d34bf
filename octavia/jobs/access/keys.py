"""API keys: creating, authenticating and revoking them. Only a hash of each key is stored."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import InputError, NotFound
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.records import copied
from octavia.jobs.tables.rows import ApiKey, RateLimit

START: Final = "oct_"
"""The start of every key, by which people and secret scanners recognise one."""

_PREFIX_LENGTH: Final = len(START) + 8
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_SECRET_BYTES: Final = 32
_PREFIX: Final = re.compile(r"oct_[a-z0-9]{8}", re.ASCII)
_SHAPE: Final = re.compile(_PREFIX.pattern + r"[A-Za-z0-9_-]{32,64}", re.ASCII)
_IN_TEXT: Final = re.compile(rf"({_PREFIX.pattern})[A-Za-z0-9_-]+", re.ASCII)
_MOST: Final = 1_000_000
_OWNER: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


class Scope(StrEnum):
    """A right that a key may have."""

    READ = "jobs:read"
    WRITE = "jobs:write"
    OPERATE = "operate"
    OPERATE_WRITE = "operate:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key when it was read: the columns of ``rows.ApiKey``, without its hash."""

    id: UUID
    name: str
    owner: str
    prefix: str
    scopes: frozenset[Scope]
    webhook_url: str | None
    webhook_secret: str = field(repr=False)
    requests_per_minute: int | None
    jobs_in_flight: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def from_row(cls, key: ApiKey) -> "KeyRecord":
        """Copy a row."""
        return copied(cls, key, scopes=frozenset(Scope(scope) for scope in key.scopes))


@dataclass(frozen=True, slots=True)
class Limits:
    """A key's own limits; None takes the setting, 0 means no limit."""

    requests_per_minute: int | None = None
    jobs_in_flight: int | None = None


@transaction
def create(
    session: Session,
    name: str,
    *,
    owner: str | None = None,
    scopes: Collection[Scope],
    expires_at: datetime | None = None,
    webhook_url: str | None = None,
    limits: Limits | None = None,
) -> tuple[KeyRecord, str]:
    """Create a key; returns it and the token that a client sends, which cannot be read again later.

    Raises ``InputError`` (``invalid_field``) for a bad name, owner or limit, no scope, or an expiry in the past.

    Parameters:
      owner: The owner of the jobs that it sees and creates; None takes ``name``.
    """
    owner = name if owner is None else owner
    limits = limits or Limits()
    _check(name, owner, scopes, limits)
    prefix = START + "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH - len(START)))
    token = prefix + secrets.token_urlsafe(_SECRET_BYTES)
    moment = now(session)
    if expires_at is not None and expires_at <= moment:
        raise _invalid("The key would have expired already.", "Choose a later time.", "expires_at")
    key = ApiKey(
        name=name,
        owner=owner,
        prefix=prefix,
        key_hash=_hash(token),
        scopes=[scope for scope in Scope if scope in scopes],
        webhook_url=webhook_url,
        webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode(),
        created_at=moment,
        expires_at=expires_at,
        **asdict(limits),
    )
    session.add(key)
    session.flush()
    session.add(RateLimit(key_id=key.id, full_at=moment))
    return KeyRecord.from_row(key), token


def list_keys(db: Database) -> tuple[KeyRecord, ...]:
    """List all keys, newest first, including revoked and expired ones."""
    with db.reading() as session:
        rows = session.scalars(sa.select(ApiKey).order_by(col(ApiKey.id).desc()))
        return tuple(KeyRecord.from_row(row) for row in rows)


@transaction
def revoke(session: Session, name: str) -> KeyRecord:
    """Revoke a key at once, by its id, its prefix or the whole key; a revoked key stays as it is.

    Raises ``NotFound`` (``key_not_found``).
    """
    key = session.scalars(sa.select(ApiKey).where(_named(name)).with_for_update()).one_or_none()
    if key is None:
        raise NotFound(
            "There is no such key.",
            code="key_not_found",
            hint="`octavia keys list` shows their prefixes and ids.",
            field="key_id",
        )
    key.revoked_at = key.revoked_at or now(session)
    return KeyRecord.from_row(key)


def authenticate(session: Session, token: str) -> KeyRecord:
    """Find the key of a token; read anew each time, so that revoking takes effect at once.

    Raises ``InputError`` (``invalid_key``, ``key_expired`` or ``key_revoked``).
    """
    found = sa.select(ApiKey).where(col(ApiKey.prefix) == token[:_PREFIX_LENGTH])
    key = session.scalars(found).one_or_none() if _SHAPE.fullmatch(token) else None
    if key is None or not hmac.compare_digest(key.key_hash, _hash(token)):
        hint = "Check that all of it was copied: oct_ and 51 characters."
        raise InputError("This key is not known.", code="invalid_key", hint=hint)
    if key.revoked_at is not None:
        raise InputError("This key was revoked.", code="key_revoked", hint="Ask the operator for another.")
    if key.expires_at is not None and key.expires_at <= now(session):
        raise InputError("This key has expired.", code="key_expired", hint="Ask the operator for another.")
    return KeyRecord.from_row(key)


def no_longer_valid(db: Database, ids: Collection[UUID]) -> set[UUID]:
    """Return those of the keys that are revoked, expired or deleted, so that open streams of theirs can be ended."""
    with db.reading() as session:
        lasts = sa.or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > now(session))
        valid = sa.select(col(ApiKey.id)).where(col(ApiKey.id).in_(ids), col(ApiKey.revoked_at).is_(None), lasts)
        return set(ids) - set(session.scalars(valid))


def mask_keys(text: str) -> str:
    """Replace every key in a text by its prefix, so that the text may be logged."""
    return _IN_TEXT.sub(r"\1…", text)


def _check(name: str, owner: str, scopes: Collection[Scope], limits: Limits) -> None:
    if not (0 < len(name) <= 100 and name.isprintable() and name.strip()):
        raise _invalid("The name is empty, too long, or has control characters.", "At most 100 characters.", "name")
    if not _OWNER.fullmatch(owner):
        raise _invalid(
            f"{owner[:100]!r} cannot be an owner.",
            "Name one (the key's name stands in for it): at most 64 letters a to z, digits, and . _ @ -.",
            "owner",
        )
    if not scopes:
        raise _invalid("A key needs at least one scope.", f"Any of {', '.join(Scope)}.", "scopes")
    for bound, value in asdict(limits).items():
        if value is not None and not 0 <= value <= _MOST:
            raise _invalid(f"{bound} is out of range.", f"0 for no limit, or at most {_MOST:,}.", bound)


def _named(name: str) -> sa.ColumnElement[bool]:
    try:
        return col(ApiKey.id) == UUID(name)
    except ValueError:
        # Other text is not looked up: PostgreSQL rejects some characters.
        return col(ApiKey.prefix) == name[:_PREFIX_LENGTH] if _PREFIX.match(name) else sa.false()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _invalid(message: str, hint: str, field: str) -> InputError:
    return InputError(message, code="invalid_field", hint=hint, field=field)
