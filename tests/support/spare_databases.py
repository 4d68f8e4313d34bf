"""Migrated databases of the session's PostgreSQL, which one test after another has for itself.

A copy of the template, and dropping it again, cost the server a tenth of a second of processor time or more. Deleting
the few rows that a test has written takes milliseconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from tests.support.postgres import PrivatePostgres

_THROW_OUT = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

_STATE = """
SELECT concat_ws('|',
    (SELECT string_agg(concat_ws(' ', oid, xmin, relpages, reltuples), ',' ORDER BY oid)
        FROM pg_class WHERE oid >= 16384),
    (SELECT string_agg(concat_ws(' ', attrelid, attnum, xmin), ',' ORDER BY attrelid, attnum)
        FROM pg_attribute WHERE attrelid >= 16384),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_constraint WHERE oid >= 16384),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_trigger WHERE oid >= 16384),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_proc WHERE oid >= 16384),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_namespace),
    (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_extension),
    (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384),
    (SELECT string_agg(setconfig::text, ',' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = this.oid),
    (SELECT string_agg(concat_ws(' ', version_num, xmin), ',') FROM alembic_version),
    concat_ws(' ', datconnlimit, datacl)
) FROM pg_database this WHERE datname = current_database()
"""
"""All that a test may change apart from rows, by the transactions that last did; statistics too: plans follow them."""

_WRITTEN = """
SELECT oid::regclass::text, pg_relation_size(oid) FROM pg_class
WHERE oid >= 16384 AND relkind = 'r' AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
"""

_RESTART = (
    "SELECT setval(format('%I', sequencename), start_value, false) FROM pg_sequences WHERE last_value IS NOT NULL"
)

_LARGEST = 256 * 1024
"""Bytes of all tables; rows that were deleted still take their place, and an index finds them for a while."""


class SpareDatabases:
    """Copies of a migrated database, emptied for the next test.

    Each test gets a database under a name of its own, so whoever still believes in an earlier one finds it gone. One
    that a test has changed in more than its rows, or made large, is dropped.
    """

    def __init__(self, postgres: PrivatePostgres, template: str) -> None:
        self._postgres = postgres
        self._template = template
        self._spare: list[str] = []
        with postgres.connect(template) as connection:
            self._unchanged = connection.execute(_STATE).fetchone()

    @contextmanager
    def one(self) -> Iterator[str]:
        """Lend a database without rows; yields its name."""
        name = self._next()
        try:
            yield name
        finally:
            if self._emptied(name):
                self._spare.append(name)
            else:
                self._postgres.drop(name)

    def _next(self) -> str:
        while self._spare:
            # Somebody may have come back to one that was emptied.
            with suppress(psycopg.errors.ObjectInUse):
                return self._postgres.renamed(self._spare.pop())
        return self._postgres.create(self._template)

    def _emptied(self, name: str) -> bool:
        """Remove all rows; False if the database is no longer like a new one, or lets nobody in."""
        try:
            with self._postgres.connect(name) as connection:
                connection.execute(_THROW_OUT)
                written = connection.execute(_WRITTEN).fetchall()
                like_new = connection.execute(_STATE).fetchone() == self._unchanged
                if not like_new or sum(size for _, size in written) > _LARGEST:
                    return False
                # Foreign keys need no check where all rows go.
                deletions = "".join(f"DELETE FROM {table};" for table, _ in written)
                connection.execute(f"SET session_replication_role TO replica; {deletions}".encode())
                connection.execute(_RESTART)
        except psycopg.OperationalError:
            return False
        return True
