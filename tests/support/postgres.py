"""A private PostgreSQL for one test session: own data, own port, gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

_START_SECONDS = 60


class PrivatePostgres:
    """A server of our own on a free port of 127.0.0.1; its superuser is ``postgres``, without a password.

    PostgreSQL refuses to run as root, so root runs it as the user ``postgres`` that Debian's package creates.
    It dies with the process that started it.
    """

    def __init__(self) -> None:
        self._bin = _binaries()
        # Not pytest's tmp_path: that is closed to other users and too long for a unix socket.
        self._folder = Path(tempfile.mkdtemp(prefix="octavia-pg-"))
        self._numbers = count(1)
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> "PrivatePostgres":
        """Create the cluster, start the server and wait until it answers."""
        self._folder.chmod(0o700)
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        data = self._folder / "data"
        subprocess.run(
            self._command(
                "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
            ),
            check=True,
            capture_output=True,
            cwd="/",
        )
        return self.resume()

    def halt(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server and keep its data.

        Parameters:
          how: SIGINT ends sessions in good order (fast), SIGQUIT as a crash would (immediate).
        """
        assert self._server is not None
        self._server.send_signal(how)
        self._server.wait(30)

    def resume(self) -> "PrivatePostgres":
        """Start the server on the data that it has, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "fsync": "off",
            "max_connections": 200,
            "log_min_messages": "fatal",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self._folder.parent / f"{self._folder.name}.log").open("ab") as log:
            self._log = Path(log.name)
            self._server = subprocess.Popen(
                self._command("postgres", "-D", self._folder / "data", *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self._wait()
        return self

    def stop(self) -> None:
        """End the server, whatever is connected, and remove its files."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(30)
            self._log.unlink()
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, template: str | None = None) -> str:
        """Create a database, empty or as a copy of another that nobody is connected to, and return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return name

    def drop(self, database: str) -> None:
        """Drop a database, throwing out whoever is still connected."""
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as superuser; without a name, outside the databases under test."""
        with self.connect(database) as connection:
            connection.execute(statement.encode())

    def throw_out(self, database: str) -> None:
        """End all sessions of a database, so that what was set for it holds for those to come."""
        self.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'")

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A superuser's connection of the test's own, which commits each statement."""
        return psycopg.connect(self._dsn(database), autocommit=True)

    def _dsn(self, database: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={database} connect_timeout=5"

    def _command(self, program: str, *arguments: object) -> list[str]:
        command = ["setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:
            command += ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        return [*command, str(self._bin / program), *map(str, arguments)]

    def _wait(self) -> None:
        assert self._server is not None
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self._dsn()).close()
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()}") from None
                time.sleep(0.05)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise RuntimeError("These tests need PostgreSQL's server programs: apt-get install postgresql")
