"""The tables, a class each. Every timestamp is aware UTC, from the database's clock."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from octavia.jobs.tables.states import (
    PLAIN_FORMAT,
    WHOLE_JOB,
    DeliveryStatus,
    JobStatus,
    JobType,
    Queue,
    Stage,
    TaskStatus,
)

# Constraints get their names from their columns: SQLite's batch migrations cannot drop a nameless one.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC ``datetime``, on SQLite too, where the column has no zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse naive values; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return an aware UTC value."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def enum_type(kind: type[Any]) -> Any:
    """Column type that stores a StrEnum's value as text: no database enum to migrate."""
    return sa.Enum(kind, native_enum=False, length=20, values_callable=lambda e: [m.value for m in e])


def json_type(*, none_as_null: bool = False) -> Any:
    """Column type for JSON: ``jsonb`` in PostgreSQL."""
    return sa.JSON(none_as_null=none_as_null).with_variant(JSONB(none_as_null=none_as_null), "postgresql")


class Job(SQLModel, table=True):
    """One request, and the state of its newest run."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.Index("ix_jobs_owner_id", "owner", "id"),
        sa.Index("ix_jobs_key_id_status", "key_id", "status"),
        # Everything that a place in the queue depends on, so that counting reads only the index.
        sa.Index("ix_jobs_order", "status", "priority", "queued_at", "id"),
        sa.Index("ix_jobs_status_finished", "status", "finished_at"),
        # Of few jobs: an index of all would lead SQLite to read every job that is not deleted by way of it.
        sa.Index(
            "ix_jobs_deleted_at",
            "deleted_at",
            sqlite_where=sa.text("deleted_at IS NOT NULL"),
            postgresql_where=sa.text("deleted_at IS NOT NULL"),
        ),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner: str = Field(default="local", max_length=64)
    type: JobType = Field(sa_type=enum_type(JobType))
    status: JobStatus = Field(default=JobStatus.PENDING, sa_type=enum_type(JobStatus))
    source_language: str = Field(default="auto", max_length=16, description="As requested; 'auto' until detected.")
    target_language: str | None = Field(default=None, max_length=16)
    options: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    priority: int = 2
    input: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    meta: dict[str, Any] = Field(default_factory=dict, sa_column=sa.Column("metadata", json_type(), nullable=False))
    models: dict[str, Any] = Field(default_factory=dict, sa_type=json_type(), description="Pinned by prepare.")
    warnings: list[dict[str, str]] = Field(default_factory=list, sa_type=json_type())
    duration: float | None = Field(default=None, description="Seconds of the input media.")
    dub: dict[str, float] | None = Field(
        default=None, sa_column=sa.Column(json_type(none_as_null=True)), description="How its dub keeps to the speaker."
    )
    progress: float = 0.0
    stage: Stage | None = Field(default=None, sa_type=enum_type(Stage))
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = None
    error_hint: str | None = None
    run: int = 1
    revision: int = 0
    chunks_total: int | None = None
    mending: bool = Field(default=False, description="Its newest run only carries out edits.")
    message_format: int = Field(default=PLAIN_FORMAT, description="Format of its messages; workers must know it.")
    event_seq: int = 0
    cancel_requested_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(sa_type=UTCDateTime, index=True)
    queued_at: datetime | None = Field(default=None, sa_type=UTCDateTime, description="When its run was requested.")
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime, index=True)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    key_id: UUID | None = Field(default=None, description="The API key that submitted it.")
    webhook_url: str | None = Field(default=None, max_length=2000, description="Address that is told of its end.")
    webhook_secret: str | None = Field(default=None, max_length=200, repr=False, description="Signs that; never shown.")
    traceparent: str | None = Field(default=None, max_length=55, description="W3C trace context of its request.")
    turn: float = Field(default=0.0, description="Turn of its last message among its owner's: see ``fairness``.")


class Task(SQLModel, table=True):
    """One stage of one chunk in one run; ``chunk`` is ``WHOLE_JOB`` for prepare, detect and assemble."""

    __tablename__ = "tasks"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "run", "chunk", "stage"),
        sa.Index("ix_tasks_status_lease", "status", "lease_until"),
        sa.Index("ix_tasks_stage_finished", "stage", "finished_at"),
        sa.Index(
            "ix_tasks_released_at",
            "released_at",
            sqlite_where=sa.text("released_at IS NOT NULL"),
            postgresql_where=sa.text("released_at IS NOT NULL"),
        ),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE")
    run: int
    chunk: int = WHOLE_JOB
    stage: Stage = Field(sa_type=enum_type(Stage))
    status: TaskStatus = Field(default=TaskStatus.WAITING, sa_type=enum_type(TaskStatus))
    attempt: int = Field(
        default=0, description="Number of claims; only grows, which fences off workers that lost the task."
    )
    given_back: int = Field(default=0, description="Attempts that do not count towards the limit.")
    seconds: float = Field(default=0.0, description="Media that it works on; time limits grow with it.")
    progress: float = Field(default=0.0, description="0–1 within the running attempt.")
    told: int = Field(default=0, description="Number of its segments that were sent as events.")
    worker: str | None = Field(default=None, max_length=128)
    lease_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    queued_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    published: int = Field(default=0, description="How often its message was sent; repair waits longer each time.")
    released_at: datetime | None = Field(
        default=None, sa_type=UTCDateTime, description="When its message was let go to the broker; None once claimed."
    )
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = None
    message: bytes | None = Field(default=None, description="Its encoded message; the task before hands it over.")


class Edit(SQLModel, table=True):
    """All edits of one utterance, taken together."""

    __tablename__ = "edits"

    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE", primary_key=True)
    utterance_id: str = Field(primary_key=True, max_length=40)
    chunk: int
    fields: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    original: dict[str, Any] = Field(default_factory=dict, sa_type=json_type(), description="Text and times before it.")


class OutboxMessage(SQLModel, table=True):
    """A message, committed together with the state that needs it sent."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("ix_outbox_due", "published_at", "not_before"),
        # The order of release: whoever looks for the next message of each owner reads as many entries as owners.
        sa.Index(
            "ix_outbox_turn",
            *("queue", "priority", "owner", "turn", "id"),
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, sa_type=sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    task_id: UUID | None = Field(default=None, index=True)
    queue: Queue = Field(sa_type=enum_type(Queue))
    priority: int = 2
    owner: str = Field(default="", max_length=64, description="Of its job; empty if it has none.")
    turn: float = Field(default=0.0, description="Its place among the messages of its owner; the least is next.")
    cost: float = Field(default=1.0, description="Nominal seconds of its work.")
    message: bytes
    created_at: datetime = Field(sa_type=UTCDateTime)
    not_before: datetime = Field(sa_type=UTCDateTime)
    leased_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Artifact(SQLModel, table=True):
    """A file: a published result, or with ``revision`` 0 one that a stage left for the next."""

    __tablename__ = "artifacts"
    __table_args__ = (sa.UniqueConstraint("job_id", "run", "chunk", "stage", "name"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE")
    run: int
    chunk: int = WHOLE_JOB
    stage: Stage = Field(sa_type=enum_type(Stage))
    name: str = Field(max_length=200)
    media_type: str = Field(max_length=100)
    size: int = Field(sa_type=sa.BigInteger)
    sha256: str = Field(max_length=64)
    storage_key: str = Field(max_length=400, index=True)
    content: bytes | None = Field(default=None, repr=False, description="Its bytes, if no object has them.")
    revision: int = 0
    created_at: datetime = Field(sa_type=UTCDateTime)


class Event(SQLModel, table=True):
    """An event of a job; ``seq`` counts from 1 within the job."""

    __tablename__ = "events"

    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE", primary_key=True)
    seq: int = Field(primary_key=True)
    type: str = Field(max_length=40)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    created_at: datetime = Field(sa_type=UTCDateTime)


class Worker(SQLModel, table=True):
    """A worker process that reported lately."""

    __tablename__ = "workers"

    id: str = Field(primary_key=True, max_length=128, description="host:pid:slot")
    host: str = Field(max_length=255)
    pid: int
    queues: str = Field(max_length=200)
    task_id: UUID | None = None
    memory: int = Field(default=0, sa_type=sa.BigInteger, description="Resident bytes.")
    release: str = Field(default="", max_length=40, description="Version of Octavia that it runs.")
    seen_at: datetime = Field(sa_type=UTCDateTime)


class ApiKey(SQLModel, table=True):
    """A client's API key and its rights; only a hash of the key is stored."""

    __tablename__ = "api_keys"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    name: str = Field(max_length=100)
    owner: str = Field(index=True, max_length=64)
    prefix: str = Field(unique=True, max_length=16, description="Its first characters, by which people recognise it.")
    key_hash: str = Field(max_length=64, description="sha256 of the whole key, hexadecimal.")
    scopes: list[str] = Field(default_factory=list, sa_type=json_type())
    webhook_url: str | None = Field(default=None, max_length=2000, description="For jobs that name no address.")
    webhook_secret: str = Field(max_length=200, repr=False, description="Signs the webhooks of its jobs.")
    requests_per_minute: int | None = Field(default=None, description="None takes the setting.")
    jobs_in_flight: int | None = Field(default=None, description="None takes the setting.")
    created_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UTCDateTime, description="Accurate to a minute.")


class RateLimit(SQLModel, table=True):
    """The moment when a key's bucket of requests will be full again."""

    __tablename__ = "rate_limits"

    key_id: UUID = Field(primary_key=True, foreign_key="api_keys.id", ondelete="CASCADE")
    full_at: datetime = Field(sa_type=UTCDateTime)


class IdempotencyKey(SQLModel, table=True):
    """A request that takes effect once, however often it is sent."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.UniqueConstraint("owner", "method", "path", "key"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner: str = Field(max_length=64)
    method: str = Field(max_length=10)
    path: str = Field(max_length=200)
    key: str = Field(max_length=255)
    claim: UUID | None = Field(default=None, description="Token of the request being served; fences off duplicates.")
    seen_at: datetime = Field(sa_type=UTCDateTime, description="When the request being served last renewed this.")
    fingerprint: str | None = Field(default=None, max_length=64, description="sha256 of the request.")
    job_id: UUID | None = Field(default=None, index=True, description="The job that it created.")
    status: int | None = Field(default=None, description="HTTP status of the first answer; None before it.")
    headers: dict[str, str] = Field(default_factory=dict, sa_type=json_type())
    body: bytes | None = None
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)


class WebhookDelivery(SQLModel, table=True):
    """The announcement of a job's end to one address, written in the transaction that ended the job."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (sa.Index("ix_webhook_deliveries_due", "status", "next_attempt_at"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True, description="Unchanged over all attempts.")
    job_id: UUID = Field(foreign_key="jobs.id", ondelete="CASCADE", index=True)
    type: str = Field(max_length=40, description="job.completed, job.failed, job.canceled")
    url: str = Field(max_length=2000)
    secret: str = Field(max_length=200, repr=False, description="Empty takes the operator's secret.")
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    status: DeliveryStatus = Field(default=DeliveryStatus.PENDING, sa_type=enum_type(DeliveryStatus))
    attempts: int = 0
    next_attempt_at: datetime = Field(sa_type=UTCDateTime)
    leased_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    give_up_at: datetime = Field(sa_type=UTCDateTime)
    created_at: datetime = Field(sa_type=UTCDateTime)
    last_attempt_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    response_status: int | None = None
    error: str | None = Field(default=None, max_length=500)
