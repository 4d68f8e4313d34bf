"""Migrations: forth, back and forth again, at once from two sides, and no drift from the models."""

import json
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel

from octavia.errors import Unavailable
from octavia.jobs.tables import newest, rows, schema
from octavia.jobs.tables.database import Database
from scripts import newest_schema

TABLES = {
    *("jobs", "tasks", "outbox", "artifacts", "events", "workers"),
    *("api_keys", "rate_limits", "idempotency_keys", "webhook_deliveries"),
    "edits",
    *("attempts", "sessions", "pauses", "operator_actions", "queue_samples", "maintenance_rounds", "snapshots"),
    "shares",
}


def tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names()) - {"alembic_version"}


def test_upgrade_downgrade_upgrade(empty_database: Database) -> None:
    # Given a database without tables
    assert tables(empty_database) == set()
    # When it is upgraded, Then every table is there
    empty_database.upgrade()
    assert tables(empty_database) == TABLES
    # When it is downgraded, Then none is left
    with schema.migrating(empty_database.url) as config:
        command.downgrade(config, "base")
    assert tables(empty_database) == set()
    # When it is upgraded once more, Then they are back
    empty_database.upgrade()
    assert tables(empty_database) == TABLES


def test_models_and_migrations_agree(empty_database: Database) -> None:
    # Given a migrated database
    empty_database.upgrade()
    # When it is compared with the models
    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        drift = compare_metadata(context, SQLModel.metadata)
    # Then nothing would have to change
    assert drift == []


def test_the_comparison_sees_a_drift(empty_database: Database) -> None:
    # Given a migrated database that lost a column and an index
    empty_database.upgrade()
    with empty_database.engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_outbox_due"))
        connection.execute(sa.text("ALTER TABLE tasks DROP COLUMN given_back"))
    # When it is compared with the models, Then both are named
    with empty_database.engine.connect() as connection:
        drift = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert {entry[0] for entry in drift} == {"add_index", "add_column"}


def test_what_new_files_get_is_what_the_migrations_make() -> None:
    # Given the script for new files, and the migrations of an empty one
    # Then both make the same tables, to the letter
    assert newest.SCRIPT.read_text(encoding="utf-8") == newest_schema.script(), "run `make docs`"


def test_a_new_file_and_a_migrated_one_are_the_same(tmp_path: Path) -> None:
    # Given a file that is migrated from the beginning, and one that is made at once
    migrated, made = (Database(f"sqlite:///{tmp_path / name}.db") for name in ("migrated", "made"))
    with schema.migrating(migrated.url) as config:
        command.upgrade(config, "head")
    made.upgrade()
    # Then nothing tells them apart
    assert layout(made) == layout(migrated)
    made.check()
    for database in (migrated, made):
        database.close()


def test_a_file_of_an_earlier_release_is_migrated(tmp_path: Path) -> None:
    # Given a file with the tables of the first release, and a row
    database = Database(f"sqlite:///{tmp_path / 'octavia.db'}")
    with schema.migrating(database.url) as config:
        command.upgrade(config, "0001")
    with database.transaction() as session:
        columns = "(queue, priority, message, not_before, created_at)"
        session.execute(sa.text(f"INSERT INTO outbox {columns} VALUES ('default', 0, 'x', '2026-01-01', '2026-01-01')"))
    # When this release opens it
    with pytest.raises(Unavailable):
        database.check()
    database.upgrade()
    # Then it has the tables of this one, and the row is still there
    database.check()
    assert tables(database) == TABLES
    with database.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM outbox")) == 1
    database.close()


def test_two_upgrades_at_once(empty_database: Database) -> None:
    # Given two processes that start at the same moment
    barrier = threading.Barrier(2)
    errors: list[Exception] = []

    def upgrade() -> None:
        database = Database(empty_database.url.render_as_string(hide_password=False))
        try:
            barrier.wait(10)
            database.upgrade()
        except Exception as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    # When both upgrade
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # Then neither fails and the tables are there
    assert errors == []
    assert tables(empty_database) == TABLES


def layout(database: Database) -> tuple[str, dict[str, str]]:
    """The version, and the columns, constraints and indexes of every table, as text."""
    with database.engine.connect() as connection:
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
        found = sa.inspect(connection)
        parts = (found.get_columns, found.get_pk_constraint, found.get_foreign_keys, found.get_indexes)
        return version, {
            table: json.dumps([part(table) for part in (*parts, found.get_unique_constraints)], default=str)
            for table in found.get_table_names()
        }


def test_upgrading_again_changes_nothing(database: Database) -> None:
    before = layout(database)
    database.upgrade()
    assert layout(database) == before
    database.check()


def test_check_names_the_remedy_when_not_migrated(empty_database: Database) -> None:
    with pytest.raises(Unavailable) as caught:
        empty_database.check()
    assert caught.value.code == "database_outdated"
    assert "octavia db upgrade" in caught.value.hint


def test_check_takes_a_newer_database(database: Database) -> None:
    # Given a database that a newer release has migrated already
    with database.transaction() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = 'later'"))
    # Then this release goes on working with it, and leaves it as it is, as after a roll back
    database.check()
    database.upgrade()
    with database.reading() as session:
        assert session.scalar(sa.text("SELECT version_num FROM alembic_version")) == "later"


def test_using_missing_tables_says_so(empty_database: Database) -> None:
    with pytest.raises(Unavailable) as caught, empty_database.transaction() as session:
        session.execute(sa.select(rows.Job))
    assert caught.value.code == "database_outdated"


def test_upgrade_needs_no_working_directory(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    empty_database.upgrade()
    assert tables(empty_database) == TABLES


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable) as caught:
        Database(f"sqlite:///{tmp_path / 'file' / 'octavia.db'}").upgrade()
    assert str(tmp_path / "file") in caught.value.message
    assert "OCTAVIA_DATA_DIR" in caught.value.hint


def test_sqlite_makes_its_folder(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a' / 'b' / 'octavia.db'}")
    database.upgrade()
    database.check()
    database.close()
