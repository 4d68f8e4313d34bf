"""A private PostgreSQL server, with its own data and port, which ends with its owner."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import psycopg

from octavia import programs
from octavia.worker.processes import KeptProcess, stop

_HOST = "127.0.0.1"
_USER = "postgres"
_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 20.0


class PostgresError(Exception):
    """The server is not installed here, or did not come up."""


class Postgres:
    """A private server on 127.0.0.1; its superuser is ``postgres``, without a password.

    PostgreSQL refuses to run as root, so root runs it as the user ``postgres`` that Debian's package creates.
    ``poll`` restarts it when it has ended. Call ``start`` and ``poll`` from one thread, which must outlive the server.

    Parameters:
      folder: Holds everything it writes. That user must be able to enter all folders above, and the path must be short
        enough for a Unix socket.
      durable: Commits wait for the disk. A crash of the server alone loses nothing either way.

    Raises:
      PostgresError: It is not installed.
    """

    def __init__(self, folder: Path, port: int, *, durable: bool = True) -> None:
        self._folder = folder
        self._bin = _binaries()
        self.port = port
        settings = {
            "listen_addresses": _HOST,
            "port": self.port,
            "unix_socket_directories": folder,
            "fsync": "on" if durable else "off",
            "max_connections": 200,
            "log_min_messages": "warning" if durable else "fatal",
        }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        self._server = KeptProcess(
            "postgres",
            self._command("postgres", "-D", folder / "data", *arguments),
            output=folder / "server.log",
        )

    def start(self) -> Self:
        """Create the cluster if there is none, start the server and wait until it answers.

        Raises:
          PostgresError: It does not.
        """
        data = self._folder / "data"
        if not data.exists():
            self._folder.mkdir(exist_ok=True)
            self._folder.chmod(0o700)
            if os.geteuid() == 0:
                shutil.chown(self._folder, _USER, _USER)
            options = ("-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
            command = self._command("initdb", "-D", data, *options)
            subprocess.run(command, check=True, capture_output=True, env=programs.environment(), cwd=programs.FOLDER)
        self._server.start()
        deadline = time.monotonic() + _STARTS_WITHIN
        while not self.ready():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start: {(self._folder / 'server.log').read_text()}")
            time.sleep(0.05)
        return self

    def ready(self) -> bool:
        """Return True if it answers."""
        try:
            psycopg.connect(self._dsn()).close()
        except psycopg.OperationalError:
            return False
        return True

    def poll(self) -> None:
        """Restart it if it has ended and that is due."""
        self._server.poll()

    def crash(self) -> None:
        """Make it drop everything at once (an immediate shutdown); it recovers from its log at the next start."""
        self._signal(signal.SIGQUIT)

    def halt(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server and keep its data; ``start`` brings it back.

        Parameters:
          how: SIGINT ends sessions in good order (fast), SIGQUIT as a crash would (immediate).
        """
        self._server.terminate()
        # After the signal to wait for its clients the one to throw them out.
        self._signal(how)
        stop([self._server], _STOPS_WITHIN)

    def stop(self) -> None:
        """End it for good, even while clients are connected."""
        self.halt()

    def url(self, database: str, port: int | None = None) -> str:
        """The SQLAlchemy URL of one of its databases, at its own port or that of a proxy."""
        return f"postgresql+psycopg://{_USER}@{_HOST}:{port or self.port}/{database}"

    def execute(self, statement: str, database: str = _USER) -> None:
        """Run a statement as superuser, in the database ``postgres`` unless another is named."""
        with self.connect(database) as connection:
            connection.execute(statement.encode())

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a superuser's connection that commits each statement."""
        return psycopg.connect(self._dsn(database), autocommit=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._server.pid is not None:
            os.kill(self._server.pid, number)

    def _dsn(self, database: str = _USER) -> str:
        return f"host={_HOST} port={self.port} user={_USER} dbname={database} connect_timeout=5"

    def _command(self, program: str, *arguments: object) -> list[str]:
        # A change of user clears the death signal: it is set again, after that.
        command = ["setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:
            command += ["--reuid", _USER, "--regid", _USER, "--clear-groups"]
        return [*command, str(self._bin / program), *map(str, arguments)]


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = programs.find("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise PostgresError("PostgreSQL's server programs are not installed here: apt-get install postgresql")
