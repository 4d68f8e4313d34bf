"""The RabbitMQ that ``octavia up`` uses: the one that answers at the configured URL, or a private node there."""

import logging
import re
import socket
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from octavia.errors import Unavailable
from octavia.settings import Settings

AMQP_PORT = 5672
# By RabbitMQ's convention, the console of a node on port 5672 is on 15672.
_CONSOLE_OFFSET = 10_000
_LAST_PORT = 65535
_TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A RabbitMQ.

    Attributes:
      url: With user and password; the URLs of a cluster are separated by ';'.
      private: True if ``octavia up`` must start the node.
      console_port: Port of its management console; None if unknown.
    """

    url: str
    private: bool
    console_port: int | None

    @property
    def shown(self) -> str:
        """The URL without its user and password."""
        parts = [urlsplit(part) for part in split(self.url)]
        return ", ".join(f"{part.scheme}://{part.hostname}:{part.port or AMQP_PORT}{part.path}" for part in parts)

    @property
    def console(self) -> str:
        """The URL of the console; empty if there is none."""
        return f"http://{urlsplit(split(self.url)[0]).hostname}:{self.console_port}" if self.console_port else ""

    @property
    def port(self) -> int:
        """The port for AMQP connections."""
        return urlsplit(split(self.url)[0]).port or AMQP_PORT


def choose(settings: Settings) -> Place:
    """Choose the RabbitMQ at the configured URL or, if none is configured, at the default one.

    Raises ``Unavailable`` (``broker_unavailable``) if nothing answers, and no private node can be started at that URL.
    """
    url = settings.broker_url or "amqp://guest:guest@127.0.0.1:5672/"
    reason = None
    for part in split(url):
        reason = connection_error(part)
        if reason is None:
            return Place(url, private=False, console_port=_console_of(part))
    place = Place(url, private=True, console_port=None)
    if not _could_be_ours(url) or _listens("127.0.0.1", place.port):
        raise Unavailable(
            f"The broker at {place.shown} does not answer: {reason}",
            code="broker_unavailable",
            hint="Start it, or correct OCTAVIA_BROKER_URL; without a URL, a private node is started here.",
        )
    return replace(place, console_port=_free_console_port(place.port))


def quiet_pika() -> None:
    """Stop pika from logging every failed connection; the commands report errors themselves."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def connection_error(url: str) -> str | None:
    """Connect to RabbitMQ at this URL; return the reason of a failure, or None if it lets us in."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = _TIMEOUT
    try:
        pika.BlockingConnection(parameters).close()
    except (AMQPError, AMQPConnectorException, OSError) as error:
        # pika wraps the error once or twice, and the outer one has no message.
        cause: BaseException = error
        while cause.args and isinstance(cause.args[0], BaseException):
            cause = cause.args[0]
        return str(getattr(cause, "exception", None) or cause) or repr(cause)
    return None


def version(connection: pika.BlockingConnection) -> tuple[int, ...]:
    """The version that RabbitMQ reports, such as (3, 10, 8); empty if it reports none."""
    # pika has no public access to the greeting of the server.
    introduced = (connection._impl.server_properties or {}).get("version", b"")
    text = introduced.decode(errors="replace") if isinstance(introduced, bytes) else str(introduced)
    found = re.match(r"\d+(\.\d+)*", text, re.ASCII)
    return tuple(map(int, found[0].split("."))) if found else ()


def _could_be_ours(url: str) -> bool:
    """Return whether a private node fits the URL: on this machine, with the default user and virtual host."""
    where = urlsplit(split(url)[0])
    login = (where.username, where.password)
    return (
        len(split(url)) == 1
        and where.hostname in ("127.0.0.1", "localhost")
        and login == ("guest", "guest")
        and where.path in ("", "/", "/%2F")
    )


def split(url: str) -> list[str]:
    """The URLs of a setting that may hold several, separated by ';'."""
    return [part for part in url.split(";") if part]


def _console_of(url: str) -> int | None:
    where = urlsplit(url)
    port = (where.port or AMQP_PORT) + _CONSOLE_OFFSET
    return port if where.hostname and _listens(where.hostname, port) else None


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
