"""What every test may ask for: databases of both kinds, migrated and fresh, and a RabbitMQ."""

import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import dramatiq
import hypothesis
import pytest
from dramatiq.brokers.stub import StubBroker

from octavia import garbage, private
from octavia.jobs.tables.database import Database
from tests.support import warm
from tests.support.pgbouncer import PrivatePgBouncer
from tests.support.postgres import PrivatePostgres
from tests.support.spare_databases import SpareDatabases

pytest_plugins = ["tests.support.rabbitmq"]

# Containers often forbid Python to keep compiled modules. Hundreds of processes that tests start would compile anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Every HTTP client reads the authorities that it trusts, for 40 ms of processor time where these are all of the
# world's. No test goes out there: those that use TLS name an authority of their own.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "fixtures" / "authority.pem")

# A shell's `make test &` ignores Ctrl-C, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What a Python of Octavia's imports costs a second; most tests are about what it does then.
warm.install()

# How long an example takes, or making one up, says more of the machine than of what is tested.
hypothesis.settings.register_profile("octavia", deadline=None)
hypothesis.settings.load_profile("octavia")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage: thousands of tests and modules come to stay, and need no second look."""
    with garbage.left_alone():
        return (yield)


@pytest.fixture(autouse=True)
def quiet_broker() -> Iterator[None]:
    """A broker that sends nothing: composing messages with ``|`` would otherwise create a default one."""
    dramatiq.set_broker(StubBroker(middleware=[]))
    yield
    dramatiq.set_broker(StubBroker(middleware=[]))


@pytest.fixture(autouse=True)
def own_umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The umask that the tests were started with: a command that runs in this process changes it for good."""
    monkeypatch.setattr(private, "_given", private._given)
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def cold() -> Iterator[None]:
    """Processes that begin as they do outside of tests: with a new Python, which imports all that it needs."""
    with warm.cold():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """The session's own PostgreSQL server."""
    server = PrivatePostgres()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres: PrivatePostgres) -> str:
    """The name of a migrated database to copy."""
    name = postgres.create()
    template = Database(postgres.url(name))
    template.upgrade()
    template.close()
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "octavia.db"
    template = Database(f"sqlite:///{path}")
    template.upgrade()
    template.close()
    return path


@pytest.fixture(scope="session")
def by_session(postgres: PrivatePostgres) -> Iterator[PrivatePgBouncer]:
    """A PgBouncer with its defaults before the session's PostgreSQL."""
    with PrivatePgBouncer(postgres) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def by_transaction(postgres: PrivatePostgres) -> Iterator[PrivatePgBouncer]:
    """One that shares out few connections by transaction."""
    with PrivatePgBouncer(postgres, pool_mode="transaction", default_pool_size=3) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def spare_databases(postgres: PrivatePostgres, postgres_template: str) -> SpareDatabases:
    """Migrated PostgreSQL databases, for one test after another."""
    return SpareDatabases(postgres, postgres_template)


@pytest.fixture
def postgres_url(postgres: PrivatePostgres, spare_databases: SpareDatabases) -> Iterator[str]:
    """The URL of an empty, migrated PostgreSQL database."""
    with spare_databases.one() as name:
        yield postgres.url(name)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh, migrated SQLite database."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'octavia.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database, once of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database, once of each kind."""
    database = Database(database_url, pool_size=10)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables, once of each kind."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        yield database
        database.close()
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    name = server.create()
    database = Database(server.url(name))
    yield database
    database.close()
    server.drop(name)
