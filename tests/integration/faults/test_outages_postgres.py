"""PostgreSQL goes away, or breaks off what is under way: whoever got a 202 gets the result, once."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from chaos.proxy import Proxy
from octavia.settings import Settings
from tests.integration.faults.deployment import QUICK, Deployment, Recovery, deployed, until_broken
from tests.support.ports import free_port
from tests.support.postgres import PrivatePostgres

_ROLE = "octavia_faults"


@dataclass
class Place:
    """Where a deployment has its state: ``line`` goes from all its processes to the database ``name`` of ``server``."""

    server: PrivatePostgres
    name: str
    line: Proxy
    deployment: Deployment


@pytest.fixture(scope="module", params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.long)])
def place(
    request: pytest.FixtureRequest,
    postgres: PrivatePostgres,
    postgres_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """A deployment whose processes are no superusers, and so are bound by limits."""
    folder, name = tmp_path_factory.mktemp("deployment"), postgres.create(postgres_template)
    postgres.execute(f"CREATE ROLE {_ROLE} LOGIN")
    for kind in ("TABLES", "SEQUENCES"):
        postgres.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {_ROLE}", name)
    with Proxy(postgres.port) as line:
        settings = Settings(
            data_dir=folder,
            database_url=f"postgresql+psycopg://{_ROLE}@127.0.0.1:{line.port}/{name}",
            broker_url=request.getfixturevalue("rabbitmq").url if request.param == "rabbitmq" else "",
            queue_prefix=f"faults-{uuid4().hex[:12]}",
            port=free_port(),
            **QUICK,
        )
        with deployed(settings, folder) as running:
            # The test looks for itself, past whatever it breaks.
            yield Place(postgres, name, line, running)
    postgres.drop(name)
    postgres.execute(f"DROP ROLE {_ROLE}")


@contextmanager
def restarted(place: Place, how: signal.Signals) -> Iterator[None]:
    place.server.halt(how)
    try:
        yield
    finally:
        place.server.resume()


@contextmanager
def out_of_reach(place: Place) -> Iterator[None]:
    place.line.cut()
    try:
        yield
    finally:
        place.line.mend()


@contextmanager
def without_connections(place: Place) -> Iterator[None]:
    place.server.execute(f"ALTER ROLE {_ROLE} CONNECTION LIMIT 0")
    place.server.throw_out(place.name)
    try:
        yield
    finally:
        place.server.execute(f"ALTER ROLE {_ROLE} CONNECTION LIMIT -1")


@contextmanager
def read_only(place: Place) -> Iterator[None]:
    """As a standby is; sessions that were opened meanwhile stay so."""
    place.server.execute(f"ALTER DATABASE {place.name} SET default_transaction_read_only TO on")
    place.server.throw_out(place.name)
    try:
        yield
    finally:
        place.server.execute(f"ALTER DATABASE {place.name} RESET default_transaction_read_only")


Outage = Callable[[Place], AbstractContextManager[None]]

OUTAGES: dict[str, Outage] = {
    "restarted, fast": lambda place: restarted(place, signal.SIGINT),
    "restarted, immediate": lambda place: restarted(place, signal.SIGQUIT),
    "unreachable": out_of_reach,
    "too many connections": without_connections,
    "read-only": read_only,
}
# The rest is found by the same code; a short cut of the line is in tests/integration/worker/test_outages.py.
_SHORT = ("restarted, immediate", "read-only")


@pytest.mark.parametrize(
    "name", [name if name in _SHORT else pytest.param(name, marks=pytest.mark.long) for name in OUTAGES]
)
def test_a_database_that_was_away_loses_nothing(place: Place, name: str, tmp_path: Path) -> None:
    _survives(place, name, OUTAGES[name], 1.6, tmp_path / "gate")


@pytest.mark.long
def test_a_database_that_was_away_for_a_minute_loses_nothing(place: Place, tmp_path: Path) -> None:
    _survives(place, "unreachable for 60 s", out_of_reach, 60.0, tmp_path / "gate")


def _survives(place: Place, name: str, broken: Outage, seconds: float, gate: Path) -> None:
    # Given a task in work, and a job that waits behind it
    deployment = place.deployment
    first, second = deployment.accepted("wait for the gate", gate=str(gate)), deployment.accepted()
    deployment.until_attempted(first)
    # When the database is away while the task ends
    with broken(place):
        began = time.monotonic()
        gate.touch()
        # Then the API says so, and accepts nothing that it could not keep
        until_broken(deployment, database="database_unavailable")
        deployment.refused("database_unavailable", seconds=20)
        assert deployment.client.get("/healthz").status_code == 200
        over = began + seconds
        deployment.until(lambda: time.monotonic() > over, seconds + 30)
    # And when it is back, both jobs complete, with the work done once
    recovery = Recovery(f"PostgreSQL {name}")
    deployment.until_whole(first, second, seconds=60)
    recovery.within(30)
    assert [deployment.numbers(job_id) for job_id in (first, second)] == [[1], [1]]
    deployment.until_ready()
    deployment.until_whole(deployment.until_accepted())


def test_a_deadlock_is_tried_again(place: Place, tmp_path: Path) -> None:
    # Given a task whose result is about to be stored, which locks the job and then the task
    deployment, gate = place.deployment, tmp_path / "gate"
    deadlocks = _deadlocks(place)
    job_id = deployment.accepted("wait for the gate", gate=str(gate))
    deployment.until_attempted(job_id)
    with place.server.connect(place.name) as hand:
        # The other one of the two is to be the victim.
        hand.execute("SET deadlock_timeout TO '1min'")
        with hand.transaction():
            # When another transaction takes the same locks in the opposite order
            hand.execute("SELECT 1 FROM tasks WHERE job_id = %s AND stage = 'transcribe' FOR UPDATE", [job_id])
            gate.touch()
            deployment.until(lambda: _locked(place, job_id))
            hand.execute("SELECT 1 FROM jobs WHERE id = %s FOR UPDATE", [job_id])
    # Then the database broke one off, which is tried again, and the work was done once
    recovery = Recovery("deadlock in PostgreSQL")
    deployment.until_whole(job_id)
    recovery.within(20)
    assert deployment.numbers(job_id) == [1]
    deployment.until(lambda: _deadlocks(place) > deadlocks)


def test_a_statement_that_times_out_is_tried_again(place: Place, tmp_path: Path) -> None:
    # Given a database that cancels statements after three seconds, as none takes because the machine stalls, and a task
    # whose result is about to be stored
    deployment, gate = place.deployment, tmp_path / "gate"
    place.server.execute(f"ALTER DATABASE {place.name} SET statement_timeout TO '3s'")
    place.server.throw_out(place.name)
    try:
        job_id = deployment.accepted("wait for the gate", gate=str(gate))
        deployment.until_attempted(job_id)
        # When the task's row is locked for longer than that
        with place.server.connect(place.name) as hand, hand.transaction():
            hand.execute("SELECT 1 FROM tasks WHERE job_id = %s AND stage = 'transcribe' FOR UPDATE", [job_id])
            gate.touch()
            deployment.until(lambda: _locked(place, job_id))
            # Then the statement is canceled
            deployment.until(lambda: not _locked(place, job_id))
        # And tried again: the work was done once
        recovery = Recovery("statement timeout in PostgreSQL")
        deployment.until_whole(job_id)
        recovery.within(20)
        assert deployment.numbers(job_id) == [1]
    finally:
        place.server.execute(f"ALTER DATABASE {place.name} RESET statement_timeout")
        place.server.throw_out(place.name)


def test_a_serialization_failure_is_tried_again(place: Place) -> None:
    # Given a database that refuses the first two completions of tasks as not serializable
    deployment = place.deployment
    for statement in (
        f"CREATE SEQUENCE tripped; GRANT ALL ON SEQUENCE tripped TO {_ROLE}",
        """CREATE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF nextval('tripped') <= 2 THEN
               RAISE EXCEPTION 'could not serialize access' USING ERRCODE = 'serialization_failure';
             END IF;
             RETURN NEW;
           END $$""",
        """CREATE TRIGGER trip BEFORE UPDATE ON tasks FOR EACH ROW
           WHEN (NEW.status = 'completed' AND NEW.stage = 'transcribe') EXECUTE FUNCTION trip()""",
    ):
        place.server.execute(statement, place.name)
    try:
        # When a job's task completes
        recovery = Recovery("serialization failure in PostgreSQL, twice (the whole job)")
        job_id = deployment.accepted()
        # Then the transaction is tried again until it is stored, and the work was done once
        deployment.until_whole(job_id)
        recovery.within(20)
        assert deployment.numbers(job_id) == [1]
        with place.server.connect(place.name) as look:
            row = look.execute("SELECT last_value FROM tripped").fetchone()
        assert row
        assert row[0] >= 3
    finally:
        place.server.execute("DROP TRIGGER trip ON tasks; DROP FUNCTION trip; DROP SEQUENCE tripped", place.name)


def _locked(place: Place, job_id: UUID) -> bool:
    """Whether somebody holds the job's row."""
    with place.server.connect(place.name) as look:
        free = look.execute("SELECT 1 FROM jobs WHERE id = %s FOR UPDATE SKIP LOCKED", [job_id]).fetchone()
    return free is None


def _deadlocks(place: Place) -> int:
    with place.server.connect(place.name) as look:
        row = look.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", [place.name]).fetchone()
    assert row
    return int(row[0])
