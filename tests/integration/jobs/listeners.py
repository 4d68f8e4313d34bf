"""Connections that listen to PostgreSQL's notices, and how they end."""

import sqlalchemy as sa

from octavia.jobs.tables.database import Database

_LISTENERS = "FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()"


def listeners(db: Database) -> int:
    """How many connections listen."""
    with db.reading() as session:
        return int(session.scalars(sa.text(f"SELECT count(*) {_LISTENERS}")).one())


def cut(db: Database) -> None:
    """Cut the one connection that listens, as a server that is restarted would."""
    with db.transaction() as session:
        assert list(session.scalars(sa.text(f"SELECT pg_terminate_backend(pid) {_LISTENERS}"))) == [True]
