"""API keys, rate limits, idempotency keys, webhooks, sent segments; and indexes for lists and estimates."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("key_id", sa.Uuid()))
        jobs.add_column(sa.Column("webhook_url", sa.String(2000)))
        jobs.add_column(sa.Column("webhook_secret", sa.String(200)))
        jobs.add_column(sa.Column("queued_at", _time()))
        jobs.drop_index("ix_jobs_owner")
        jobs.drop_index("ix_jobs_status")
        jobs.create_index("ix_jobs_owner_id", ["owner", "id"])
        jobs.create_index("ix_jobs_key_id_status", ["key_id", "status"])
        jobs.create_index("ix_jobs_order", ["status", "priority", "queued_at", "id"])
        jobs.create_index("ix_jobs_deleted_at", ["deleted_at"])
    op.execute("UPDATE jobs SET queued_at = created_at WHERE status IN ('queued', 'processing')")
    op.add_column("tasks", sa.Column("told", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_tasks_stage_finished", "tasks", ["stage", "finished_at"])

    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("scopes", _json(), nullable=False),
        sa.Column("webhook_url", sa.String(2000)),
        sa.Column("webhook_secret", sa.String(200), nullable=False),
        sa.Column("requests_per_minute", sa.Integer()),
        sa.Column("jobs_in_flight", sa.Integer()),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("expires_at", _time()),
        sa.Column("revoked_at", _time()),
        sa.Column("last_used_at", _time()),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("prefix", name="uq_api_keys_prefix"),
    )
    op.create_index("ix_api_keys_owner", "api_keys", ["owner"])

    op.create_table(
        "rate_limits",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("full_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_rate_limits"),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_rate_limits_key_id_api_keys", ondelete="CASCADE"),
    )

    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("claim", sa.Uuid()),
        sa.Column("seen_at", _time(), nullable=False),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", _json(), nullable=False),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("expires_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency_keys"),
        sa.UniqueConstraint("owner", "method", "path", "key", name="uq_idempotency_keys_owner_method_path_key"),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_index("ix_idempotency_keys_job_id", "idempotency_keys", ["job_id"])

    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("secret", sa.String(200), nullable=False),
        sa.Column("payload", _json(), nullable=False),
        sa.Column("status", _word(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", _time(), nullable=False),
        sa.Column("leased_until", _time()),
        sa.Column("give_up_at", _time(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("last_attempt_at", _time()),
        sa.Column("response_status", sa.Integer()),
        sa.Column("error", sa.String(500)),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_webhook_deliveries_job_id_jobs", ondelete="CASCADE"),
    )
    op.create_index("ix_webhook_deliveries_job_id", "webhook_deliveries", ["job_id"])
    op.create_index("ix_webhook_deliveries_due", "webhook_deliveries", ["status", "next_attempt_at"])


def downgrade() -> None:
    for table in ("webhook_deliveries", "idempotency_keys", "rate_limits", "api_keys"):
        op.drop_table(table)
    op.drop_index("ix_tasks_stage_finished", table_name="tasks")
    with op.batch_alter_table("tasks") as tasks:
        tasks.drop_column("told")
    with op.batch_alter_table("jobs") as jobs:
        for index in ("ix_jobs_deleted_at", "ix_jobs_order", "ix_jobs_key_id_status", "ix_jobs_owner_id"):
            jobs.drop_index(index)
        jobs.create_index("ix_jobs_owner", ["owner"])
        jobs.create_index("ix_jobs_status", ["status"])
        for column in ("queued_at", "webhook_secret", "webhook_url", "key_id"):
            jobs.drop_column(column)


def _word() -> sa.String:
    return sa.String(20)


def _json() -> Any:
    return sa.JSON().with_variant(JSONB(), "postgresql")


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)
