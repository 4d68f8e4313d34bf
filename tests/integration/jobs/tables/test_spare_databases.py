"""Databases that tests have one after another are as good as new."""

import psycopg
import pytest

from octavia.jobs.tables.database import Database
from tests.integration.jobs.steps import Steps
from tests.support.postgres import PrivatePostgres
from tests.support.spare_databases import SpareDatabases


@pytest.fixture
def spares(postgres: PrivatePostgres, postgres_template: str) -> SpareDatabases:
    return SpareDatabases(postgres, postgres_template)


def oid(postgres: PrivatePostgres, name: str) -> object:
    """What stays the same of a database under another name."""
    with postgres.connect(name) as connection:
        return connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()


def test_the_next_test_finds_no_row_and_numbers_from_the_beginning(
    postgres: PrivatePostgres, spares: SpareDatabases
) -> None:
    # Given a test that has left a job, with its tasks and a message, and a connection
    with spares.one() as first:
        database = Database(postgres.url(first))
        assert Steps(database).submit()
        left = oid(postgres, first)
    with spares.one() as second, postgres.connect(second) as connection:
        # Then the next one has the same database, under another name
        assert second != first
        assert oid(postgres, second) == left
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            postgres.connect(first)
        # And nothing is in it
        for table in ("jobs", "tasks", "outbox"):
            assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,)
        assert connection.execute("SELECT nextval('outbox_id_seq')").fetchone() == (1,)
    database.close()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE jobs ADD another integer",
        "DROP INDEX ix_jobs_owner_id",
        "DROP TABLE shares",
        "CREATE TABLE another (id integer)",
        "ALTER TABLE jobs SET (fillfactor = 50)",
        "CREATE FUNCTION another() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "GRANT SELECT ON jobs TO PUBLIC",
        "ANALYZE alembic_version",
        "UPDATE alembic_version SET version_num = 'older'",
        "INSERT INTO workers (id, host, pid, queues, memory, release, seen_at)"
        " SELECT n::text, repeat('h', 255), 0, repeat('q', 200), 0, '', now() FROM generate_series(1, 1000) n",
        "ALTER DATABASE {name} SET default_transaction_read_only TO on",
    ],
)
def test_one_that_was_changed_is_not_lent_again(postgres: PrivatePostgres, spares: SpareDatabases, change: str) -> None:
    # Given a test that changes more than rows, or leaves many of them
    with spares.one() as first:
        changed = oid(postgres, first)
        postgres.execute(change.format(name=first), first)
    # Then the next one has a database of its own
    with spares.one() as second:
        assert oid(postgres, second) != changed
