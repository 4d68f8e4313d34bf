"""The tables that show operators what happens, and keep what they decide; see ``rows`` for those of the jobs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from octavia.jobs.tables.rows import UTCDateTime, enum_type, json_type
from octavia.jobs.tables.states import AttemptOutcome, PauseMode, Queue, Stage


class Attempt(SQLModel, table=True):
    """One try of a task that has ended; the running one is in the task itself."""

    __tablename__ = "attempts"
    __table_args__ = (
        # All that statistics need, so that they read only the index.
        sa.Index("ix_attempts_stage_ended", "stage", "ended_at", "outcome", "started_at"),
        # In PostgreSQL with an order of bytes, by which the workers of a host stand together.
        sa.Index("ix_attempts_worker", "worker", "job_id", postgresql_ops={"worker": "varchar_pattern_ops"}),
    )

    task_id: UUID = Field(foreign_key="tasks.id", ondelete="CASCADE", primary_key=True)
    number: int = Field(primary_key=True, description="Value of the task's ``attempt`` while it ran.")
    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE", index=True)
    stage: Stage = Field(sa_type=enum_type(Stage))
    worker: str = Field(max_length=128)
    queued_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    started_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime = Field(sa_type=UTCDateTime)
    outcome: AttemptOutcome = Field(sa_type=enum_type(AttemptOutcome))
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = None


class BrowserSession(SQLModel, table=True):
    """A browser that signed in with a key; only a hash of its cookie is stored."""

    __tablename__ = "sessions"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    key_id: UUID = Field(foreign_key="api_keys.id", ondelete="CASCADE", index=True)
    token_hash: str = Field(unique=True, max_length=64, description="sha256 of the cookie's value, hexadecimal.")
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True, description="Later again with each renewal.")


class Pause(SQLModel, table=True):
    """An order that the workers of one queue, or of one host, take no more tasks."""

    __tablename__ = "pauses"
    __table_args__ = (sa.UniqueConstraint("queue", "host"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    queue: str = Field(default="", max_length=20, description="Empty: of every queue.")
    host: str = Field(default="", max_length=255, description="Empty: on every host.")
    mode: PauseMode = Field(sa_type=enum_type(PauseMode))
    reason: str = Field(default="", max_length=500)
    by: str = Field(max_length=128, description="Who ordered it.")
    created_at: datetime = Field(sa_type=UTCDateTime)


class OperatorAction(SQLModel, table=True):
    """One action of an operator on jobs, queues or dead letters. None is removed, and only its progress changes."""

    __tablename__ = "operator_actions"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    by: str = Field(max_length=128, description="Name and prefix of the key, or the user of the command line.")
    action: str = Field(max_length=40)
    target: str = Field(description="The filter or the names that it was given, as written.")
    count: int = Field(default=0, description="How many it changed.")
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())


class QueueSample(SQLModel, table=True):
    """The state of one queue at one minute, for charts."""

    __tablename__ = "queue_samples"

    at: datetime = Field(sa_type=UTCDateTime, primary_key=True, description="A whole minute.")
    queue: Queue = Field(sa_type=enum_type(Queue), primary_key=True)
    depth: int = Field(description="Tasks that wait in it for a worker.")
    running: int
    oldest_seconds: float
    workers: int


class MaintenanceRound(SQLModel, table=True):
    """The newest round of one kind of periodic work."""

    __tablename__ = "maintenance_rounds"

    actor: str = Field(primary_key=True, max_length=64)
    scheduled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    error: str | None = Field(default=None, max_length=500)
    result: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())


class Snapshot(SQLModel, table=True):
    """Figures that one process computes and all may read."""

    __tablename__ = "snapshots"

    name: str = Field(primary_key=True, max_length=40)
    computed_at: datetime = Field(sa_type=UTCDateTime)
    leased_until: datetime | None = Field(default=None, sa_type=UTCDateTime, description="One process computes it.")
    data: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
