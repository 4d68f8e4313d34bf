"""Record in migrations/newest.sql what the migrations make of an empty file: ``python scripts/newest_schema.py``."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from alembic import command

from octavia.jobs.tables import newest, schema


def script() -> str:
    """Migrate an empty SQLite file, and return the script that makes the same tables."""
    with TemporaryDirectory() as folder:
        url = sa.make_url(f"sqlite:///{Path(folder) / 'octavia.db'}")
        with schema.migrating(url) as config:
            command.upgrade(config, "head")
            return _recorded(config.attributes["connection"])


def _recorded(connection: sa.Connection) -> str:
    (revision,) = connection.exec_driver_sql("SELECT version_num FROM alembic_version").one()
    # In the order in which they were made; what SQLite makes by itself has no statement.
    made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    # Alembic leaves spaces at the ends of lines.
    statements = [re.sub(r"[ \t]+$", "", statement.strip(), flags=re.MULTILINE) for (statement,) in made]
    return f"-- revision {revision}\n" + "".join(f"{statement}{newest.END}" for statement in statements)


if __name__ == "__main__":
    newest.SCRIPT.write_text(script(), encoding="utf-8")
