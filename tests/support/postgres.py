"""A private PostgreSQL for one test session: own data, own port, gone afterwards."""

import shutil
import signal
import tempfile
from itertools import count
from pathlib import Path
from typing import Self

from chaos.postgres import Postgres
from tests.support.ports import free_port


class PrivatePostgres(Postgres):
    """A server on a free port that need not survive the machine, with databases that are copied from one another."""

    def __init__(self) -> None:
        # Not pytest's tmp_path: that is closed to other users and too long for a unix socket.
        self._home = Path(tempfile.mkdtemp(prefix="octavia-pg-"))
        self._numbers = count(1)
        super().__init__(self._home, free_port(), durable=False)

    def resume(self) -> Self:
        """Start the server on the data that it has after ``halt``, and wait until it answers."""
        return self.start()

    def stop(self) -> None:
        """End the server, whatever is connected, and remove its files."""
        self.halt(signal.SIGQUIT)
        shutil.rmtree(self._home)

    def create(self, template: str | None = None) -> str:
        """Create a database, empty or as a copy of another that nobody is connected to, and return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return name

    def renamed(self, database: str) -> str:
        """Give a database that nobody is connected to a new name, and return it."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"ALTER DATABASE {database} RENAME TO {name}")
        return name

    def drop(self, database: str) -> None:
        """Drop a database, throwing out whoever is still connected."""
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def throw_out(self, database: str) -> None:
        """End all sessions of a database, so that what was set for it holds for those to come."""
        self.execute(f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{database}'")
