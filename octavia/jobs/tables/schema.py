"""Migrations, run from the installed package; they need no alembic.ini and no working directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

import migrations
from octavia.errors import Unavailable
from octavia.jobs.tables import newest
from octavia.jobs.tables.engine import create_engine
from octavia.private import make_folder

# Alembic itself is imported where tables are migrated: a process that finds them as they should be does without.
if TYPE_CHECKING:
    from alembic.config import Config

_ADVISORY_LOCK: Final = 0x0C7A41A
_SCRIPTS: Final = Path(str(migrations.__file__)).parent


def upgrade(url: sa.URL) -> None:
    """Migrate the tables to the newest revision, in one transaction; those of a newer release are left as they are."""
    with _exclusive(url) as connection:
        if newest.missing(connection):
            newest.create(connection)
        elif outdated(connection):
            from alembic import command

            command.upgrade(_config(connection), "head")


@contextmanager
def migrating(url: sa.URL) -> "Iterator[Config]":
    """Give an Alembic configuration bound to one transaction; concurrent migrations wait for each other."""
    with _exclusive(url) as connection:
        yield _config(connection)


@contextmanager
def _exclusive(url: sa.URL) -> Iterator[sa.Connection]:
    """Begin the one transaction that may change the tables; others wait for its end."""
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
        yield connection


def _config(connection: sa.Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def outdated(connection: sa.Connection) -> bool:
    """Return whether migrations are missing. A newer database is accepted, for rolling upgrades."""
    current = _revision_of(connection)
    return current is None or (current != newest.revision() and current in _known())


def _revision_of(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return found


@cache
def _known() -> frozenset[str]:
    from alembic.script import ScriptDirectory

    return frozenset(script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions())
