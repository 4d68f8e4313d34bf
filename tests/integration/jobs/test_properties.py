"""No sequence of crashes, duplicates and delays reaches an illegal state, or loses a task."""

from collections.abc import Iterator
from random import Random
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlmodel import SQLModel

from octavia.jobs.tables.database import Database
from octavia.storage import Storage
from tests.integration.jobs.machine import KINDS, AnythingMayHappen

_ANY = settings(
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
# The same each time, so that a change is to blame for what fails.
QUICK = settings(_ANY, derandomize=True, max_examples=5, stateful_step_count=30)
LONG = settings(_ANY, max_examples=150, stateful_step_count=80)
_SEEDS = range(10)
_MANY_SEEDS = range(400)
_STEPS = 25


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Iterator[Database]:
    """A database that no loss of power threatens, and that waits for no disk."""
    database = Database(sqlite_url)

    @event.listens_for(database.engine, "connect")
    def hurry(connection: DBAPIConnection, _: object) -> None:
        connection.cursor().execute("PRAGMA synchronous = OFF")

    yield database
    database.close()


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.close()


def _machine(database: Database) -> AnythingMayHappen:
    with database.transaction() as session:
        for table in reversed(SQLModel.metadata.sorted_tables):
            session.execute(sa.delete(table))
    return AnythingMayHappen(database, Storage(f"memory://{uuid4()}"))


def _run_seeds(database: Database, seeds: range) -> None:
    for seed in seeds:
        machine, random = _machine(database), Random(seed)
        try:
            machine.first_job(
                random.choice(KINDS),
                random.randint(1, 3),
                random.random() < 0.3,
                random.randrange(4),
                random.randrange(7),
            )
            for _ in range(_STEPS):
                machine.anything(random)
            machine.teardown()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def test_whatever_is_tried_every_job_ends(on_sqlite: Database) -> None:
    run_state_machine_as_test(lambda: _machine(on_sqlite), settings=QUICK)


def test_whatever_happens_by_chance_every_job_ends(on_sqlite: Database) -> None:
    _run_seeds(on_sqlite, _SEEDS)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["on_sqlite", "on_postgres"])
def test_whatever_is_tried_for_long_every_job_ends(kind: str, request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue(kind)
    run_state_machine_as_test(lambda: _machine(database), settings=LONG)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["on_sqlite", "on_postgres"])
def test_whatever_happens_for_long_every_job_ends(kind: str, request: pytest.FixtureRequest) -> None:
    _run_seeds(request.getfixturevalue(kind), _MANY_SEEDS)
