"""Alembic's entry: migrates over a given connection or, from the command line, the database of the settings."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.config import Config
from sqlmodel import AutoString, SQLModel

import octavia.jobs.tables.operation_rows  # its tables are compared, too
import octavia.jobs.tables.shares  # noqa: F401
from octavia.jobs.tables import rows, schema
from octavia.jobs.tables.database import Database
from octavia.settings import get_settings


def render(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Render column types plainly in new migrations, so that migrations do not change with the models."""
    if kind == "type" and isinstance(item, rows.UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String({item.length})"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String({item.length or ''})"
    return False


def run(config: Config) -> None:
    """Run the command's migrations in the connection's transaction."""
    context.configure(
        connection=config.attributes["connection"],
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render,
    )
    with context.begin_transaction():
        context.run_migrations()


if "connection" in context.config.attributes:
    run(context.config)
else:
    with schema.migrating(Database.of(get_settings()).url) as migrating:
        context.config.attributes.update(migrating.attributes)
        run(context.config)
