"""A private PgBouncer in front of a private PostgreSQL."""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from octavia.worker.processes import KeptProcess, stop
from tests.support.ports import free_port
from tests.support.postgres import PrivatePostgres
from tests.support.waiting import until


class PrivatePgBouncer:
    """A PgBouncer on a free port, with its defaults but for what is given; it refuses to run as root.

    Parameters:
      settings: Of the section ``[pgbouncer]`` of its configuration.
    """

    def __init__(self, postgres: PrivatePostgres, **settings: object) -> None:
        self.port = free_port()
        self._postgres = postgres
        self._folder = Path(tempfile.mkdtemp(prefix="octavia-pgb-"))
        users = self._folder / "users.txt"
        users.write_text('"postgres" ""\n')
        given = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": users,
            "admin_users": "postgres",
            **settings,
        }
        lines = ["[databases]", f"* = host=127.0.0.1 port={postgres.port}", "[pgbouncer]"]
        configuration = self._folder / "pgbouncer.ini"
        configuration.write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in given.items())]))
        command = [self._program(), str(configuration)]
        if os.geteuid() == 0:
            for path in (self._folder, users, configuration):
                shutil.chown(path, "postgres", "postgres")
            command = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", *command]
        self._server = KeptProcess("pgbouncer", command, cwd=Path("/"), output=self._folder / "server.log")

    def __enter__(self) -> Self:
        self._server.start()
        until(self._answers, 30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop([self._server], 10)
        shutil.rmtree(self._folder)

    def url(self, url: str) -> str:
        """The URL, through this pooler, of a database of its PostgreSQL."""
        return url.replace(f":{self._postgres.port}/", f":{self.port}/")

    def order(self, command: str) -> None:
        """Give an order at its console, for example ``KILL test_1``."""
        with psycopg.connect(self._console, autocommit=True) as console:
            console.execute(command.encode())

    @property
    def _console(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=pgbouncer connect_timeout=5"

    def _answers(self) -> bool:
        try:
            self.order("SHOW VERSION")
        except psycopg.OperationalError:
            return False
        return True

    @staticmethod
    def _program() -> str:
        # Debian keeps it where only root looks.
        return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "pgbouncer"
