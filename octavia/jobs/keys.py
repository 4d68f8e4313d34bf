"""API keys: who they let in, and to do what."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What a key may do."""

    READ = "jobs:read"
    WRITE = "jobs:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it stood when it was read; the columns of ``models.ApiKey``, without its hash."""

    id: UUID
    name: str
    owner: str
    prefix: str
    scopes: frozenset[Scope]
    webhook_url: str | None
    webhook_secret: str
    requests_per_minute: int | None
    jobs_in_flight: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
