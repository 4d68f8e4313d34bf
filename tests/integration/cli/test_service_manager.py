"""The processes of a service under a service manager: its socket, its news and its watchdog."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from chaos.proxy import Proxy
from tests.support import waiting
from tests.support.ports import free_port, free_ports
from tests.support.postgres import PrivatePostgres

# Not for less: where the machine is slow, a process takes a minute to come up.
until = partial(waiting.until, seconds=150, every=0.1)
# Which variables a process begins with is what these tests are about.
pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("cold")]

OCTAVIA = (sys.executable, "-m", "octavia")
NO_BROKER = "amqp://guest:guest@127.0.0.1:1/"


class Manager:
    """A stand-in for systemd that hears what it is told; ``told`` is all that it has heard, in order."""

    def __init__(self, path: Path) -> None:
        self.told: list[tuple[str, str]] = []
        self.variables = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "20000000"}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def has_heard(self, name: str, value: str = "") -> bool:
        try:
            while True:
                lines = self._socket.recv(65536).decode().splitlines()
                self.told += [(line.partition("=")[0], line.partition("=")[2]) for line in lines]
        except BlockingIOError:
            return any(told == name and what.startswith(value) for told, what in self.told)

    def forget(self) -> None:
        self.has_heard("")
        self.told.clear()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


@contextmanager
def started(
    command: tuple[str, ...], tmp_path: Path, manager: Manager | None = None, **settings: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of a service, with a database of its own unless the settings name one."""
    environment = {
        "OCTAVIA_DATA_DIR": str(tmp_path / "data"),
        "OCTAVIA_LOG_FORMAT": "console",
        **settings,
        **(manager.variables if manager else {}),
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
    try:
        sockets = sum(argument.startswith("--listen=") for argument in command)
        until(lambda: (tmp_path / "log").read_text().count("Listening on ") >= sockets)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(40)
        finally:
            process.kill()
            process.wait()


def activated(addresses: list[str], **settings: str) -> tuple[str, ...]:
    """The command that opens sockets as systemd does, and starts the API when somebody connects."""
    listen = [f"--listen={address}" for address in addresses]
    passed = [f"--setenv={name}={value}" for name, value in settings.items()]
    return ("systemd-socket-activate", *listen, *passed, "--setenv=PATH", *OCTAVIA, "serve")


def of_api(tmp_path: Path, url: str) -> dict[str, str]:
    return {
        "OCTAVIA_DATA_DIR": str(tmp_path / "data"),
        "OCTAVIA_LOG_FORMAT": "console",
        "OCTAVIA_DATABASE_URL": url,
        "OCTAVIA_BROKER_URL": NO_BROKER,
    }


def test_the_api_takes_the_socket_that_systemd_opened(tmp_path: Path, sqlite_url: str, manager: Manager) -> None:
    # Given a socket of systemd's on one port, and settings that name another one
    port, other = free_ports(2)
    variables = {**of_api(tmp_path, sqlite_url), "OCTAVIA_PORT": str(other), **manager.variables}
    with started(activated([f"127.0.0.1:{port}"], **variables), tmp_path) as process:
        # When a client connects, before anything runs
        answer = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=150)
        # Then it gets its answer, from the process that has taken the place of systemd's helper
        assert answer.status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{other}/healthz")
        # And the manager hears when it is ready, that it lives, and that it stops
        until(lambda: manager.has_heard("WATCHDOG"))
        assert manager.has_heard("STATUS", f"Serving 127.0.0.1, port {port}.")
        assert manager.has_heard("READY")
        process.terminate()
        process.wait(40)
        assert manager.has_heard("STOPPING")
        assert manager.has_heard("EXTEND_TIMEOUT_USEC", "50000000")


@pytest.mark.parametrize("auth", ["off", "auto"])
def test_the_address_of_an_inherited_socket_decides_on_keys(tmp_path: Path, sqlite_url: str, auth: str) -> None:
    # Given a socket of systemd's that other machines reach, and settings that name this machine alone
    port = free_port()
    variables = {**of_api(tmp_path, sqlite_url), "OCTAVIA_AUTH": auth, "OCTAVIA_HOST": "127.0.0.1"}
    with started(activated([f"0.0.0.0:{port}"], **variables), tmp_path) as process:
        if auth == "auto":
            # Then keys are required
            assert httpx.get(f"http://127.0.0.1:{port}/api/v1/jobs", timeout=150).status_code == 401
            return
        # Then without keys it is not used
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=150)
        assert process.wait(150) == 2
        assert "host_not_allowed" in (tmp_path / "log").read_text()


def test_two_sockets_are_refused(tmp_path: Path, sqlite_url: str) -> None:
    one, two = free_ports(2)
    command = activated([f"127.0.0.1:{one}", f"127.0.0.1:{two}"], **of_api(tmp_path, sqlite_url))
    with started(command, tmp_path) as process:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{one}/healthz", timeout=150)
        assert process.wait(150) == 2
    said = (tmp_path / "log").read_text()
    assert "socket_unusable" in said
    assert "hint:" in said
    assert "Traceback" not in said


def test_the_scheduler_says_what_it_waits_for(
    tmp_path: Path, postgres: PrivatePostgres, postgres_url: str, manager: Manager
) -> None:
    # Given a database that is out of reach
    with Proxy(postgres.port) as line:
        line.cut()
        url = postgres_url.replace(f":{postgres.port}/", f":{line.port}/")
        with started((*OCTAVIA, "scheduler"), tmp_path, manager, OCTAVIA_DATABASE_URL=url) as process:
            # When the scheduler starts, then it asks for time, again and again, and is not ready
            until(lambda: sum(name == "EXTEND_TIMEOUT_USEC" for name, _ in manager.told) > 1 or manager.has_heard("x"))
            assert manager.has_heard("STATUS", "Waiting: ")
            assert not manager.has_heard("READY")
            assert not manager.has_heard("WATCHDOG")
            # And once the database is back, it is
            line.mend()
            until(lambda: manager.has_heard("READY"))
            until(lambda: manager.has_heard("WATCHDOG"))
            process.terminate()
            assert process.wait(20) == 0
            assert manager.has_heard("STOPPING")


def test_an_embedded_service_is_ready_when_all_of_it_is(tmp_path: Path, manager: Manager) -> None:
    # Given a service without a broker
    port = free_port()
    with started((*OCTAVIA, "serve", "--port", str(port)), tmp_path, manager, OCTAVIA_WORKER_SLOTS="1") as process:
        # When its manager hears that it is ready, then it serves, with a worker
        until(lambda: manager.has_heard("READY"))
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        assert manager.has_heard("STATUS", "1 of 1 worker processes are up.")
        # And when its API dies, then clients wait for the next one, and nobody else gets its port
        api = next(child for child in psutil.Process(process.pid).children() if "--no-workers" in child.cmdline())
        assert not set(manager.variables) & set(api.environ())
        api.kill()
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=150).status_code == 200
        manager.has_heard("")
        process.terminate()
        process.wait(150)
        assert manager.has_heard("STOPPING")


@pytest.mark.parametrize("broker", ["", NO_BROKER], ids=["embedded", "with a broker"])
def test_a_port_that_is_taken_ends_the_start_at_once(tmp_path: Path, sqlite_url: str, broker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = {**of_api(tmp_path, sqlite_url), "OCTAVIA_BROKER_URL": broker}
        with started((*OCTAVIA, "serve", "--port", str(port)), tmp_path, **settings) as process:
            assert process.wait(150) == 1
    said = (tmp_path / "log").read_text()
    assert f"127.0.0.1:{port}" in said
    assert "port_in_use" in said
    assert "Traceback" not in said
