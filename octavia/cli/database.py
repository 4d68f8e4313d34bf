"""``octavia db``: create, migrate and check the database of the settings."""

import getpass
import os
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from octavia.cli import console
from octavia.settings import get_settings
from octavia.urls import shown

if TYPE_CHECKING:
    from octavia.jobs.tables.database import Database

app = typer.Typer(help="Create, migrate and check the database.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Create the tables, or migrate them to this release."""
    with opened() as database:
        database.upgrade()
        console.say(f"{shown(get_settings().database)} is up to date.")


@app.command()
def check() -> None:
    """Check that the database answers and that its tables fit this release."""
    with opened() as database:
        database.check()
        console.say(f"{shown(get_settings().database)} answers, and its tables are those of this release.")


def opened() -> "closing[Database]":
    """Open the database of the settings for the block of a ``with`` statement."""
    from octavia.jobs.tables.database import Database

    return closing(Database.of(get_settings()))


def operator() -> str:
    """Return the user of this command line, for the record of operators' actions."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # As in a container that runs as a user without a name.
        name = f"user {os.getuid()}"
    return f"{name} (command line)"
