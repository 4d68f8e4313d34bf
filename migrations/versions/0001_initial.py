"""Jobs, tasks, outbox, artifacts, events, workers."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("type", _word(), nullable=False),
        sa.Column("status", _word(), nullable=False),
        sa.Column("source_language", sa.String(16), nullable=False),
        sa.Column("target_language", sa.String(16)),
        sa.Column("options", _json(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("input", _json(), nullable=False),
        sa.Column("metadata", _json(), nullable=False),
        sa.Column("models", _json(), nullable=False),
        sa.Column("warnings", _json(), nullable=False),
        sa.Column("duration", sa.Float()),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("stage", _word()),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.String()),
        sa.Column("error_hint", sa.String()),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("chunks_total", sa.Integer()),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", _time()),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("started_at", _time()),
        sa.Column("finished_at", _time()),
        sa.Column("expires_at", _time()),
        sa.Column("deleted_at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_owner", "jobs", ["owner"])
    op.create_index("ix_jobs_status", "jobs", ["status"])
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])
    op.create_index("ix_jobs_expires_at", "jobs", ["expires_at"])

    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("stage", _word(), nullable=False),
        sa.Column("status", _word(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("given_back", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("worker", sa.String(128)),
        sa.Column("lease_until", _time()),
        sa.Column("queued_at", _time()),
        sa.Column("started_at", _time()),
        sa.Column("finished_at", _time()),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.String()),
        sa.Column("message", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_tasks_job_id_jobs", ondelete="CASCADE"),
        sa.UniqueConstraint("job_id", "run", "chunk", "stage", name="uq_tasks_job_id_run_chunk_stage"),
    )
    op.create_index("ix_tasks_status_lease", "tasks", ["status", "lease_until"])

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.Uuid()),
        sa.Column("queue", _word(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("not_before", _time(), nullable=False),
        sa.Column("leased_until", _time()),
        sa.Column("published_at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due", "outbox", ["published_at", "not_before"])
    op.create_index("ix_outbox_task_id", "outbox", ["task_id"])

    op.create_table(
        "artifacts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("stage", _word(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("storage_key", sa.String(400), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_artifacts_job_id_jobs", ondelete="CASCADE"),
        sa.UniqueConstraint("job_id", "run", "chunk", "stage", "name", name="uq_artifacts_job_id_run_chunk_stage_name"),
    )
    op.create_index("ix_artifacts_storage_key", "artifacts", ["storage_key"])

    op.create_table(
        "events",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("data", _json(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_events"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_events_job_id_jobs", ondelete="CASCADE"),
    )

    op.create_table(
        "workers",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queues", sa.String(200), nullable=False),
        sa.Column("task_id", sa.Uuid()),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )


def downgrade() -> None:
    for table in ("workers", "events", "artifacts", "outbox", "tasks", "jobs"):
        op.drop_table(table)


# Written out here, not taken from the models: the meaning of a migration must never change.


def _word() -> sa.String:
    """A status, stage, type or queue: plain text, so that a new word needs no migration."""
    return sa.String(20)


def _json() -> Any:
    return sa.JSON().with_variant(JSONB(), "postgresql")


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)
