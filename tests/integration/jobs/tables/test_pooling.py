"""PostgreSQL behind the real PgBouncer: how that is told, what is left on its connections, and its errors."""

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from octavia.errors import Unavailable
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.pooling import Pooling, pooling
from tests.integration.jobs.steps import Steps
from tests.support.pgbouncer import PrivatePgBouncer
from tests.support.postgres import PrivatePostgres


@pytest.fixture
def pooled(by_transaction: PrivatePgBouncer, postgres_url: str) -> Iterator[Database]:
    """A fresh, migrated database behind a pooler by transaction."""
    database = Database(by_transaction.url(postgres_url))
    yield database
    database.close()


def test_a_pooler_and_its_mode_are_told(
    postgres_url: str, by_session: PrivatePgBouncer, by_transaction: PrivatePgBouncer
) -> None:
    # Given a database, and two ways to it through a pooler
    database = Database(postgres_url)
    ways = (postgres_url, by_session.url(postgres_url), by_transaction.url(postgres_url))
    # When each is looked at
    found = [pooling(database.engine, sa.make_url(way)) for way in ways]
    # Then they are told apart, and only one of them is of no use for LISTEN
    assert found == [Pooling.NONE, Pooling.SESSION, Pooling.TRANSACTION]
    assert [one.keeps_sessions for one in found] == [True, True, False]
    database.close()


def test_a_pooler_that_takes_its_connections_in_turn_is_told(postgres: PrivatePostgres, postgres_url: str) -> None:
    # Given a PgBouncer with two connections of the server, which it hands out in turn
    turns = {"pool_mode": "transaction", "default_pool_size": 2, "server_round_robin": 1}
    with PrivatePgBouncer(postgres, **turns) as pooler:
        database = Database(pooler.url(postgres_url))
        with database.transaction() as one, database.transaction() as two:
            now(one), now(two)
        # When it is looked at, Then two clients that always meet different ones do not hide that they are shared
        assert pooling(database.engine, database.url) is Pooling.TRANSACTION
        database.close()


def test_who_cannot_be_reached_has_no_pooler() -> None:
    # Given a port on which nobody listens
    nowhere = Database("postgresql+psycopg://me:secret@127.0.0.1:1/none")
    # When it is looked at, Then that is an outage, which names no password
    with pytest.raises(Unavailable) as refused:
        pooling(nowhere.engine, nowhere.url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("pooler", ["by_session", "by_transaction"])
def test_tables_are_made_through_a_pooler(
    pooler: str, postgres: PrivatePostgres, request: pytest.FixtureRequest
) -> None:
    # Given an empty database behind PgBouncer
    name = postgres.create()
    database = Database(request.getfixturevalue(pooler).url(postgres.url(name)))
    # When it is migrated, Then it has all its tables
    database.upgrade()
    database.check()
    database.close()
    postgres.throw_out(name)
    postgres.drop(name)


def test_nothing_outlives_a_transaction(pooled: Database) -> None:
    # Given transactions that do the same so often that the driver would prepare it, on connections shared with others
    steps = Steps(pooled)
    for _ in range(8):
        steps.submit()
        with pooled.transaction() as session:
            # Then each is bounded
            settings = ("lock_timeout", "idle_in_transaction_session_timeout", "transaction_isolation")
            found = [session.scalars(sa.text(f"SHOW {setting}")).one() for setting in settings]
            assert found == ["10s", "1min", "read committed"]
    # When another client gets those connections
    with psycopg.connect(pooled.url.set(drivername="postgresql").render_as_string(), autocommit=True) as other:
        left = [
            other.execute(query).fetchone()
            for query in (
                "SHOW lock_timeout",
                "SELECT count(*) FROM pg_prepared_statements",
                "SELECT count(*) FROM pg_listening_channels()",
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
            )
        ]
    # Then it finds nothing of ours
    assert left == [("0",), (0,), (0,), (0,)]


def test_more_processes_than_connections_share_a_pooler_by_session(
    postgres: PrivatePostgres, postgres_url: str
) -> None:
    # Given a PgBouncer by session with three connections of the server, for which nobody waits long
    with PrivatePgBouncer(postgres, default_pool_size=3, query_wait_timeout=2) as pooler:
        # When more processes than that have used the database and may do so again
        databases = [Database(pooler.url(postgres_url)) for _ in range(5)]
        for _ in range(2):
            for database in databases:
                Steps(database).submit()
        # Then none kept what another needed
        for database in databases:
            database.close()


def test_a_connection_that_the_server_drops_is_unavailable_and_the_next_works(
    pooled: Database, postgres: PrivatePostgres
) -> None:
    # Given connections that lie in the pools, and a transaction under way
    Steps(pooled).submit()

    def lose_the_connection() -> None:
        with pooled.transaction() as session:
            now(session)
            # When the server ends all, as when it is restarted
            postgres.throw_out(str(pooled.url.database))
            session.execute(sa.text("SELECT 1"))

    # Then the transaction is unavailable, and may be tried again
    with pytest.raises(Unavailable) as caught:
        lose_the_connection()
    assert caught.value.code == "database_unavailable"
    # And the next one works
    Steps(pooled).submit()


def test_a_pooler_that_throws_its_clients_out_goes_unnoticed_by_the_next_transaction(
    pooled: Database, by_transaction: PrivatePgBouncer
) -> None:
    # Given connections that lie in the pool
    Steps(pooled).submit()
    # When PgBouncer drops them
    by_transaction.order(f"KILL {pooled.url.database}")
    by_transaction.order(f"RESUME {pooled.url.database}")
    # Then the next transaction opens others
    Steps(pooled).submit()


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"query": {"options": "-c lock_timeout=1s"}}, "ignore_startup_parameters"),
        ({"database": "nowhere"}, "Create the database"),
        ({"username": "nobody"}, "Check the user"),
    ],
)
def test_a_refusal_says_what_to_mend(pooled: Database, change: dict[str, object], hint: str) -> None:
    # Given a URL that PgBouncer refuses
    refused = Database(pooled.url.set(**change).render_as_string(hide_password=False))  # type: ignore[arg-type]
    # When it is used, Then the hint is about that, and not about a server that is away
    with pytest.raises(Unavailable) as caught:
        refused.check()
    assert hint in caught.value.hint
    assert "refuses" in caught.value.message
    refused.close()


def test_pooling_by_statement_is_refused_with_the_remedy(postgres: PrivatePostgres, postgres_url: str) -> None:
    # Given a PgBouncer that does not keep transactions together
    with PrivatePgBouncer(postgres, pool_mode="statement") as pooler:
        database = Database(pooler.url(postgres_url))
        # When it is used, Then the hint names the mode to set
        with pytest.raises(Unavailable) as caught:
            database.check()
        assert "pool_mode = transaction" in caught.value.hint
        database.close()
