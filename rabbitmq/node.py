"""A private RabbitMQ node with the project's configuration and its own ports and data, which ends with its owner.

``python -m rabbitmq.node --data var/rabbitmq`` runs one in the foreground. It needs neither root nor a system service,
only the server's files (Debian: ``apt-get install rabbitmq-server``).
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from octavia import private, programs
from octavia.worker.processes import KeptProcess, stop
from octavia.worker.signals import StopSignal
from rabbitmq.ports import free_ports

_HERE = Path(__file__).parent
# Debian's wrapper in /usr/sbin switches user and drops the environment; the script itself does neither.
_SCRIPTS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")
_HOST = "127.0.0.1"
_LOGIN = "guest"
_NAME = "octavia"
_STARTS_WITHIN = 90.0
_STOPS_WITHIN = 20.0


class NodeError(Exception):
    """The node cannot be started, or did not come up."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a node, all on the loopback interface."""

    amqp: int
    management: int
    prometheus: int
    distribution: int
    epmd: int

    @classmethod
    def free(cls) -> "Ports":
        """Five ports that are free now."""
        return cls(*free_ports(5))

    @classmethod
    def near(cls, amqp: int, management: int) -> "Ports":
        """The given ports, and free ones for the rest."""
        others = cls.free()
        return cls(amqp, management, others.prometheus, others.distribution, others.epmd)


@dataclass(frozen=True, slots=True)
class Member:
    """A node's place in a cluster.

    Attributes:
      name: The node's name.
      first: The name of the node that the others join. It runs the port mapper for all.
      cookie: The secret that all nodes share.
    """

    name: str
    first: str
    cookie: str


class Node:
    """A private RabbitMQ server, with its port mapper. ``poll`` restarts them when they have ended.

    Parameters:
      data: Its folder for everything it writes. It is not removed, so durable messages survive a restart.
      output: A file for its log; None: this process's own output.
      member: Its place in a cluster; None for a single node.
      more: Further lines of its configuration, such as listeners with TLS.

    Raises:
      NodeError: RabbitMQ is not installed here.
    """

    def __init__(
        self,
        data: Path,
        ports: Ports,
        *,
        output: Path | None = None,
        member: Member | None = None,
        more: Sequence[str] = (),
    ) -> None:
        self.ports = ports
        self._more = more
        self._data = data.absolute()
        self._member = member or Member(_NAME, _NAME, "")
        environment = self.environment
        mapper = [_epmd(), "-port", str(ports.epmd), "-address", _HOST]
        self._epmd = KeptProcess("epmd", mapper, env=environment, output=output) if self._leads else None
        # Without RABBITMQ_ALLOW_INPUT the server's script would stay as a parent that does not die with us.
        self._server = KeptProcess("rabbitmq", [_script(), "-noinput"], env=environment, output=output)

    @property
    def url(self) -> str:
        """The URL for OCTAVIA_BROKER_URL."""
        return f"amqp://{_LOGIN}:{_LOGIN}@{_HOST}:{self.ports.amqp}/"

    @property
    def management_url(self) -> str:
        """The URL of its console and HTTP API; user and password are both ``guest``."""
        return f"http://{_HOST}:{self.ports.management}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._server.pid

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which RabbitMQ's programs find their files, this node, and the shared secret."""
        data = self._data
        return {
            "HOME": str(data),
            "ERL_EPMD_ADDRESS": _HOST,
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_NODENAME": f"{self._member.name}@localhost",
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(data / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(data / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(data / "log"),
            "RABBITMQ_PID_FILE": str(data / "rabbitmq.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def start(self) -> None:
        """Start the node; it answers some seconds later."""
        self._write_configuration()
        if self._epmd:
            self._epmd.start()
        _wait_for_port(self.ports.epmd, 10.0)
        self._server.start()

    def wait(self, timeout: float = _STARTS_WITHIN) -> None:
        """Wait until queues can be used and the console answers.

        Raises:
          NodeError: That takes more than ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.ready():
            self.poll()
            if time.monotonic() > deadline:
                raise NodeError(f"RabbitMQ did not answer on {self.url} within {timeout:.0f} s; see its log.")
            time.sleep(0.2)

    def ready(self) -> bool:
        """Return True if it answers."""
        try:
            self.ask("health/checks/virtual-hosts")
            socket.create_connection((_HOST, self.ports.amqp), 5).close()
        except OSError:
            return False
        return True

    def ask(self, path: str) -> Any:
        """Ask its HTTP API; returns the decoded answer.

        Raises:
          OSError: It does not answer, or with an error.
        """
        request = urllib.request.Request(f"{self.management_url}/api/{path}")  # noqa: S310
        request.add_header("Authorization", "Basic " + b64encode(f"{_LOGIN}:{_LOGIN}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return json.load(answer)
        except (HTTPException, ValueError) as error:
            raise OSError("half an answer") from error

    def poll(self) -> None:
        """Restart the server and its port mapper if they have ended and that is due."""
        if self._epmd:
            self._epmd.poll()
        self._server.poll()

    def kill(self) -> None:
        """Kill the server; ``poll`` restarts it."""
        self._server.kill()

    def stop(self, grace: float = _STOPS_WITHIN) -> None:
        """Stop the server in good order, or kill it after ``grace`` seconds; then stop its port mapper."""
        stop([self._server], grace)
        if self._epmd:
            stop([self._epmd], 2.0)

    @property
    def _leads(self) -> bool:
        return self._member.name == self._member.first

    def _write_configuration(self) -> None:
        private.make_folder(self._data)
        ports = self.ports
        listeners: tuple[str, ...] = (
            f"listeners.tcp.1 = {_HOST}:{ports.amqp}",
            f"management.tcp.ip = {_HOST}",
            f"management.tcp.port = {ports.management}",
            f"prometheus.tcp.ip = {_HOST}",
            f"prometheus.tcp.port = {ports.prometheus}",
            f"load_definitions = {_HERE / 'definitions.json'}",
        )
        if not self._leads:
            listeners = (
                *listeners,
                "cluster_formation.peer_discovery_backend = classic_config",
                f"cluster_formation.classic_config.nodes.1 = {self._member.first}@localhost",
                f"cluster_formation.classic_config.nodes.2 = {self._member.name}@localhost",
            )
        configuration = (
            (_HERE / "rabbitmq.conf").read_text()
            + "\n# Where this node listens, and what it starts with.\n"
            + "\n".join((*listeners, *self._more))
        )
        (self._data / "rabbitmq.conf").write_text(configuration + "\n")
        # The server may rewrite this one: it gets a copy.
        shutil.copyfile(_HERE / "enabled_plugins", self._data / "enabled_plugins")
        cookie = self._data / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(self._member.cookie or secrets.token_hex(16))


def check_installed() -> None:
    """Check that RabbitMQ and Erlang are installed.

    Raises:
      NodeError: They are not.
    """
    _script()
    _epmd()


def _script() -> str:
    for path in _SCRIPTS:
        if os.access(path, os.X_OK):
            return path
    raise NodeError("RabbitMQ is not installed here: apt-get install rabbitmq-server (Debian, Ubuntu).")


def _epmd() -> str:
    found = programs.find("epmd")
    if found is None:
        raise NodeError("Erlang's epmd is not installed here: apt-get install rabbitmq-server (Debian, Ubuntu).")
    return found


def _wait_for_port(port: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((_HOST, port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise NodeError(f"Nothing listens on port {port}.") from None
            time.sleep(0.05)
        else:
            return


def main() -> str | None:
    """Run a node in the foreground until told to stop; returns what went wrong."""
    parser = argparse.ArgumentParser(prog="rabbitmq.node", description="Run a RabbitMQ node in the foreground.")
    parser.add_argument("--data", type=Path, default=Path("var/rabbitmq"), help="its folder [default: var/rabbitmq]")
    parser.add_argument("--port", type=int, default=5672, help="AMQP [default: 5672]")
    parser.add_argument("--management-port", type=int, default=15672, help="console [default: 15672]")
    options = parser.parse_args()
    private.begin()
    for port in (options.port, options.management_port):
        with socket.socket() as probe:
            if probe.connect_ex((_HOST, port)) == 0:
                return f"Port {port} is in use; give another with --port or --management-port."
    with StopSignal() as stopped:
        try:
            node = Node(options.data, Ports.near(options.port, options.management_port))
            node.start()
        except NodeError as error:
            return str(error)
        while not stopped.wait(0.5):
            node.poll()
        node.stop()
    return None


if __name__ == "__main__":
    sys.exit(main())
