"""Migrations, run from the installed package; they need no alembic.ini and no working directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from octavia.errors import Unavailable
from octavia.jobs.tables.engine import create_engine
from octavia.private import make_folder

_ADVISORY_LOCK: Final = 0x0C7A41A
_SCRIPTS: Final = Path(str(migrations.__file__)).parent


def upgrade(url: sa.URL) -> None:
    """Migrate the tables to the newest revision, in one transaction; those of a newer release are left as they are."""
    with migrating(url) as config:
        if outdated(config.attributes["connection"]):
            command.upgrade(config, "head")


@contextmanager
def migrating(url: sa.URL) -> Iterator[Config]:
    """Give an Alembic configuration bound to one transaction; concurrent migrations wait for each other."""
    if url.get_backend_name() == "sqlite" and url.database:
        try:
            make_folder(Path(url.database).parent)
        except OSError as error:
            raise Unavailable(
                f"The folder of the database cannot be created: {error}",
                code="database_unavailable",
                hint="Set OCTAVIA_DATA_DIR to a folder that you may write to.",
            ) from error
    # Batch mode on SQLite rebuilds tables; with foreign keys on, dropping the old one would delete its children.
    engine = create_engine(url, foreign_keys=False, poolclass=sa.NullPool)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Another process may be migrating: give it time.
            connection.execute(sa.text("SET LOCAL lock_timeout = '120s'"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            # An ALTER TABLE that waits for a long query blocks every later query. Give up soon instead, so that a
            # service in use stays usable; the upgrade can be started again.
            connection.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        config = Config()
        config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
        config.attributes["connection"] = connection
        yield config


def outdated(connection: sa.Connection) -> bool:
    """Return whether migrations are missing. A newer database is accepted, for rolling upgrades."""
    current = MigrationContext.configure(connection).get_current_revision()
    known, head = _revisions()
    return current is None or (current in known and current != head)


@cache
def _revisions() -> tuple[frozenset[str], str | None]:
    scripts = ScriptDirectory(str(_SCRIPTS))
    return frozenset(script.revision for script in scripts.walk_revisions()), scripts.get_current_head()
