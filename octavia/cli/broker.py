"""Which RabbitMQ `octavia up` uses: the one that answers at the configured URL, or a private node there."""

import logging
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from octavia.errors import Unavailable
from octavia.settings import Settings

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
_LOCAL = ("127.0.0.1", "localhost")
AMQP_PORT = 5672
# RabbitMQ's own habit: the console of 5672 is on 15672.
_CONSOLE_OFFSET = 10_000
_LAST_PORT = 65535
_TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A RabbitMQ.

    Attributes:
      url: With its user and password; several, separated by ';', for a cluster.
      private: Whether it is for us to start.
      console_port: Where its management console listens, or would; None where we cannot know.
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
        """The address of the console; empty if there is none."""
        return f"http://{urlsplit(split(self.url)[0]).hostname}:{self.console_port}" if self.console_port else ""

    @property
    def port(self) -> int:
        """Where it takes connections."""
        return urlsplit(split(self.url)[0]).port or AMQP_PORT


def choose(settings: Settings) -> Place:
    """Look at the configured URL, or the default one.

    Raises:
      Unavailable: Nothing answers there, and it is not a place where we could start a node.
    """
    url = settings.broker_url or DEFAULT_URL
    reason = None
    for part in split(url):
        reason = refusal(part)
        if reason is None:
            return Place(url, private=False, console_port=_console_of(part))
    port = Place(url, private=True, console_port=None).port
    if not _could_be_ours(url) or _listens("127.0.0.1", port):
        shown = Place(url, private=False, console_port=None).shown
        raise Unavailable(
            f"The broker at {shown} does not answer: {reason}",
            code="broker_unavailable",
            hint="Start it, or mend OCTAVIA_BROKER_URL; without one a private node is started on this machine.",
        )
    return Place(url, private=True, console_port=_free_console_port(port))


def hush_pika() -> None:
    """Keep pika from telling on stderr of every closed channel and failed attempt: who has asked says it better."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def refusal(url: str) -> str | None:
    """Why RabbitMQ does not let us in at this URL; None when it does."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = _TIMEOUT
    try:
        pika.BlockingConnection(parameters).close()
    except (AMQPError, AMQPConnectorException, OSError) as error:
        # pika wraps what happened once or twice, and the outer one says nothing.
        cause: BaseException = error
        while cause.args and isinstance(cause.args[0], BaseException):
            cause = cause.args[0]
        return str(getattr(cause, "exception", None) or cause) or repr(cause)
    return None


def version(connection: pika.BlockingConnection) -> tuple[int, ...]:
    """Which RabbitMQ this is, as it introduced itself, such as (3, 10, 8); empty if it did not."""
    # pika keeps the greeting to itself.
    introduced = (connection._impl.server_properties or {}).get("version", b"")
    text = introduced.decode(errors="replace") if isinstance(introduced, bytes) else str(introduced)
    found = re.match(r"\d+(\.\d+)*", text, re.ASCII)
    return tuple(map(int, found[0].split("."))) if found else ()


def _could_be_ours(url: str) -> bool:
    """Whether a private node would be what the URL asks for: here, with the default user and virtual host."""
    where = urlsplit(split(url)[0])
    login = (where.username, where.password)
    return (
        len(split(url)) == 1
        and where.hostname in _LOCAL
        and login == ("guest", "guest")
        and where.path in ("", "/", "/%2F")
    )


def split(url: str) -> list[str]:
    """The URLs of a setting that may name several."""
    return [part for part in url.split(";") if part]


def _console_of(url: str) -> int | None:
    where = urlsplit(url)
    port = (where.port or AMQP_PORT) + _CONSOLE_OFFSET
    return port if where.hostname and _listens(where.hostname, port) else None


def _free_console_port(amqp: int) -> int:
    """The usual one, or any."""
    usual = amqp + _CONSOLE_OFFSET
    if usual <= _LAST_PORT and not _listens("127.0.0.1", usual):
        return usual
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_TIMEOUT)
        return port <= _LAST_PORT and probe.connect_ex((host, port)) == 0
