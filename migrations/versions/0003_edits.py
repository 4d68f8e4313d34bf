"""Edits of utterances, and the format of a job's messages."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("mending", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("message_format", sa.Integer(), nullable=False, server_default="1"))
    op.create_table(
        "edits",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("utterance_id", sa.String(40), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("fields", _json(), nullable=False),
        sa.Column("original", _json(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "utterance_id", name="pk_edits"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_edits_job_id_jobs", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("edits")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("message_format")
        jobs.drop_column("mending")


def _json() -> Any:
    return sa.JSON().with_variant(JSONB(), "postgresql")
