"""Tables for operators: attempts, samples of queues, pauses, actions, sessions of browsers; trace contexts."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("traceparent", sa.String(55)))
    op.create_index("ix_jobs_status_finished", "jobs", ["status", "finished_at"])
    op.drop_index("ix_jobs_deleted_at", "jobs")
    op.create_index("ix_jobs_deleted_at", "jobs", ["deleted_at"], sqlite_where=_DELETED, postgresql_where=_DELETED)
    op.add_column("workers", sa.Column("release", sa.String(40), nullable=False, server_default=""))
    op.create_table(
        "attempts",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("worker", sa.String(128), nullable=False),
        sa.Column("queued_at", _moment()),
        sa.Column("started_at", _moment(), nullable=False),
        sa.Column("ended_at", _moment(), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.String()),
        sa.PrimaryKeyConstraint("task_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_attempts_task_id_tasks", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_attempts_job_id_jobs", ondelete="CASCADE"),
    )
    op.create_index("ix_attempts_job_id", "attempts", ["job_id"])
    op.create_index("ix_attempts_stage_ended", "attempts", ["stage", "ended_at", "outcome", "started_at"])
    op.create_index(
        "ix_attempts_worker", "attempts", ["worker", "job_id"], postgresql_ops={"worker": "varchar_pattern_ops"}
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_sessions_key_id_api_keys", ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_key_id", "sessions", ["key_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "pauses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("queue", sa.String(20), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pauses"),
        sa.UniqueConstraint("queue", "host", name="uq_pauses_queue_host"),
    )
    op.create_table(
        "operator_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", _moment(), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("detail", _json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operator_actions"),
    )
    op.create_index("ix_operator_actions_at", "operator_actions", ["at"])
    op.create_table(
        "queue_samples",
        sa.Column("at", _moment(), nullable=False),
        sa.Column("queue", sa.String(20), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("oldest_seconds", sa.Float(), nullable=False),
        sa.Column("workers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("at", "queue", name="pk_queue_samples"),
    )
    op.create_table(
        "maintenance_rounds",
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("scheduled_at", _moment()),
        sa.Column("started_at", _moment()),
        sa.Column("finished_at", _moment()),
        sa.Column("error", sa.String(500)),
        sa.Column("result", _json(), nullable=False),
        sa.PrimaryKeyConstraint("actor", name="pk_maintenance_rounds"),
    )
    op.create_table(
        "snapshots",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("computed_at", _moment(), nullable=False),
        sa.Column("leased_until", _moment()),
        sa.Column("data", _json(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_snapshots"),
    )


def downgrade() -> None:
    for table in ("snapshots", "maintenance_rounds", "queue_samples", "operator_actions", "pauses", "sessions"):
        op.drop_table(table)
    op.drop_table("attempts")
    with op.batch_alter_table("workers") as workers:
        workers.drop_column("release")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("traceparent")
    op.drop_index("ix_jobs_deleted_at", "jobs")
    op.create_index("ix_jobs_deleted_at", "jobs", ["deleted_at"])
    op.drop_index("ix_jobs_status_finished", "jobs")


def _moment() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _json() -> Any:
    return sa.JSON().with_variant(JSONB(), "postgresql")
