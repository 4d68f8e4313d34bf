"""Indexes for operators' lists and statistics."""

import sqlalchemy as sa
from alembic import op

revision = "0005_operator_jobs"
down_revision = "0005"
branch_labels = None
depends_on = None

_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_jobs_status_finished", "jobs", ["status", "finished_at"])
    op.drop_index("ix_jobs_deleted_at", "jobs")
    op.create_index("ix_jobs_deleted_at", "jobs", ["deleted_at"], sqlite_where=_DELETED, postgresql_where=_DELETED)
    op.drop_index("ix_attempts_stage_ended", "attempts")
    op.create_index("ix_attempts_stage_ended", "attempts", ["stage", "ended_at", "outcome", "started_at"])
    op.create_index(
        "ix_attempts_worker", "attempts", ["worker", "job_id"], postgresql_ops={"worker": "varchar_pattern_ops"}
    )


def downgrade() -> None:
    op.drop_index("ix_attempts_worker", "attempts")
    op.drop_index("ix_attempts_stage_ended", "attempts")
    op.create_index("ix_attempts_stage_ended", "attempts", ["stage", "ended_at"])
    op.drop_index("ix_jobs_deleted_at", "jobs")
    op.create_index("ix_jobs_deleted_at", "jobs", ["deleted_at"])
    op.drop_index("ix_jobs_status_finished", "jobs")
