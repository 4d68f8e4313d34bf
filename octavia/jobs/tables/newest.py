"""The newest tables on SQLite as one script, for a file that has none yet: Alembic takes longer to import than to use.

``migrations/newest.sql`` is recorded from a migrated file by ``scripts/newest_schema.py``, and comes with the release,
so that nobody's cache can be of another one. A test holds that it makes what the migrations make.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import sqlalchemy as sa

import migrations

SCRIPT: Final = Path(str(migrations.__file__)).with_name("newest.sql")
"""The script: the revision in its first line, then statements."""

END: Final = ";\n\n"
"""The end of each statement in it."""

_HEADING: Final = re.compile(r"-- revision (\S+)\n")


@cache
def revision() -> str:
    """Return the revision of the script, which is that of the newest migration."""
    with SCRIPT.open(encoding="utf-8") as script:
        heading = _HEADING.fullmatch(script.readline())
    assert heading, f"{SCRIPT} does not begin with its revision"
    return heading[1]


def missing(connection: sa.Connection) -> bool:
    """Return whether this is a SQLite file in which nothing has been made yet."""
    if connection.dialect.name != "sqlite":
        return False
    return connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").first() is None


def create(connection: sa.Connection) -> None:
    """Make all tables in a file without any; part of the connection's transaction."""
    for statement in SCRIPT.read_text(encoding="utf-8").split(END):
        if statement.strip():
            connection.exec_driver_sql(statement)
    connection.exec_driver_sql("INSERT INTO alembic_version (version_num) VALUES (?)", (revision(),))
