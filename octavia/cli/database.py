"""``octavia db``: the tables, of the service whose settings the environment holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from octavia.cli import console
from octavia.settings import get_settings

if TYPE_CHECKING:
    from octavia.jobs.tables.database import Database

app = typer.Typer(help="Create, migrate and check the database.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Create the tables, or bring them to what this release needs."""
    with opened() as database:
        database.upgrade()
        _say(database, "is up to date")


@app.command()
def check() -> None:
    """Say whether the database answers and its tables are those of this release."""
    with opened() as database:
        database.check()
        _say(database, "answers, and its tables are those of this release")


@contextmanager
def opened() -> "Iterator[Database]":
    """The database of the environment's settings, closed on leaving."""
    from octavia.jobs.tables.database import Database

    database = Database.of(get_settings())
    try:
        yield database
    finally:
        database.close()


def _say(database: "Database", what: str) -> None:
    url = database.url.render_as_string(hide_password=True)
    console.out().print(f"{url} {what}.", markup=False, soft_wrap=True)
