"""The RabbitMQ that ``octavia up`` uses: the one that answers at the configured URL, or a private node there."""

import logging
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pika

from octavia.brokers.connections import LOST, Failure, connection_parameters, failure_of
from octavia.errors import Unavailable
from octavia.settings import Settings
from octavia.urls import Url, parse, shown

_DEFAULT = "amqp://guest:guest@127.0.0.1:5672/"
# By RabbitMQ's convention, the console of a node on port 5672 is on 15672.
_CONSOLE_OFFSET = 10_000
_LAST_PORT = 65535
_TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A RabbitMQ.

    Attributes:
      urls: With user and password; several if it is a cluster.
      private: True if ``octavia up`` must start the node.
      console_port: Port of its management console; None if unknown.
    """

    urls: Sequence[str]
    private: bool
    console_port: int | None

    @property
    def shown(self) -> str:
        """The URLs without user and password."""
        return ", ".join(shown(url) for url in self.urls)

    @property
    def console(self) -> str:
        """The URL of the console; empty if there is none."""
        web = "https" if self._first.scheme == "amqps" else "http"
        return f"{web}://{self._first.host}:{self.console_port}" if self.console_port else ""

    @property
    def port(self) -> int:
        """The port for AMQP connections."""
        assert self._first.port is not None
        return self._first.port

    @property
    def _first(self) -> Url:
        return parse(self.urls[0])


def choose(settings: Settings) -> Place:
    """Choose the RabbitMQ at the configured URL or, if none is configured, at the default one.

    Raises ``Unavailable`` (``broker_unavailable``) if nothing answers, and no private node can be started at that URL.
    """
    urls = settings.brokers or [_DEFAULT]
    failure = None
    for url in urls:
        failure = connection_error(url)
        if failure is None:
            return Place(urls, private=False, console_port=_console_of(url))
    assert failure is not None
    place = Place(urls, private=True, console_port=None)
    if not _could_be_ours(urls) or _listens("127.0.0.1", place.port):
        raise Unavailable(
            f"The broker at {place.shown} does not answer: {failure.reason}",
            code="broker_unavailable",
            hint=failure.remedy
            or "Start it, or correct OCTAVIA_BROKER_URL; without a URL, a private node is started here.",
        )
    return replace(place, console_port=_free_console_port(place.port))


def quiet_pika() -> None:
    """Stop pika from logging every failed connection; the commands report errors themselves."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def connection_error(url: str) -> Failure | None:
    """Connect to RabbitMQ at this URL; return the failure, or None if it lets us in."""
    parameters = connection_parameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = _TIMEOUT
    try:
        pika.BlockingConnection(parameters).close()
    except LOST as error:
        return failure_of(error)
    return None


def version(connection: pika.BlockingConnection) -> tuple[int, ...]:
    """The version that RabbitMQ reports, such as (3, 10, 8); empty if it reports none."""
    # pika has no public access to the greeting of the server.
    introduced = (connection._impl.server_properties or {}).get("version", b"")
    text = introduced.decode(errors="replace") if isinstance(introduced, bytes) else str(introduced)
    found = re.match(r"\d+(\.\d+)*", text, re.ASCII)
    return tuple(map(int, found[0].split("."))) if found else ()


def _could_be_ours(urls: Sequence[str]) -> bool:
    """Return whether a private node fits: on this machine, without TLS, with the default user and virtual host."""
    where = parse(urls[0])
    return (
        len(urls) == 1
        and where.scheme == "amqp"
        and where.host in ("127.0.0.1", "localhost")
        and (where.user, where.password) == ("guest", "guest")
        and where.path.upper() in ("", "/", "/%2F")
    )


def _console_of(url: str) -> int | None:
    where = parse(url)
    assert where.port is not None
    port = where.port + _CONSOLE_OFFSET
    return port if where.host and _listens(where.host, port) else None


def _free_console_port(amqp: int) -> int:
    """The conventional port for the console, or any free one."""
    usual = amqp + _CONSOLE_OFFSET
    if usual <= _LAST_PORT and not _listens("127.0.0.1", usual):
        return usual
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_TIMEOUT)
        return port <= _LAST_PORT and probe.connect_ex((host, port)) == 0
