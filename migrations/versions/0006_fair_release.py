"""Fair release of messages: their turns, the owners' shares, and what waits at the broker."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_RELEASED = sa.text("released_at IS NOT NULL")
_UNSENT = sa.text("published_at IS NULL")
_TURN = ["queue", "priority", "owner", "turn", "id"]


def upgrade() -> None:
    # With defaults: releases before this one go on writing rows without these columns.
    op.add_column("jobs", sa.Column("turn", sa.Float(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("released_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_tasks_released_at", "tasks", ["released_at"], sqlite_where=_RELEASED, postgresql_where=_RELEASED
    )
    op.add_column("outbox", sa.Column("owner", sa.String(64), nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("turn", sa.Float(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("cost", sa.Float(), nullable=False, server_default="1"))
    op.create_index("ix_outbox_turn", "outbox", _TURN, sqlite_where=_UNSENT, postgresql_where=_UNSENT)
    op.create_table(
        "shares",
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("line", sa.String(20), nullable=False),
        sa.Column("start", sa.Float(), nullable=False),
        sa.Column("finish", sa.Float(), nullable=False),
        sa.Column("turn", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "line", name="pk_shares"),
    )
    op.create_index("ix_shares_line_start", "shares", ["line", "start"])


def downgrade() -> None:
    op.drop_table("shares")
    op.drop_index("ix_outbox_turn", "outbox")
    with op.batch_alter_table("outbox") as outbox:
        for column in ("cost", "turn", "owner"):
            outbox.drop_column(column)
    op.drop_index("ix_tasks_released_at", "tasks")
    with op.batch_alter_table("tasks") as tasks:
        tasks.drop_column("released_at")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("turn")
