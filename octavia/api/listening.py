"""The sockets that the API listens on: its own, its parent's, or the one that a service manager has opened for it."""

import socket
from collections.abc import Sequence

from octavia import service_manager
from octavia.api.binding import check_host
from octavia.errors import Unavailable
from octavia.settings import Settings


def opened(settings: Settings) -> tuple[Settings, list[socket.socket]]:
    """Return the sockets to listen on, and the settings with the address that they really have.

    A socket of the service manager goes before ``host`` and ``port``, and the same rules hold for it.

    Raises:
      InputError: ``host_not_allowed`` as ``check_host`` says; ``socket_unusable``: the manager passed something else.
      Unavailable: ``port_in_use``.
    """
    taken = service_manager.inherited_socket()
    if taken is None:
        check_host(settings)
        return settings, bound(settings)
    host, port = taken.getsockname()[:2]
    settings = settings.model_copy(update={"host": host, "port": port})
    check_host(settings)
    return settings, [taken]


def bound(settings: Settings) -> list[socket.socket]:
    """Bind a socket to each address of the host. They can be inherited by a child process; nothing listens yet.

    Raises ``Unavailable`` (``port_in_use``).
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            made = socket.socket(family, kind, protocol)
            sockets.append(made)
            # A port that only lingers after its last user counts as free.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(address)
    except OSError as error:
        for made in sockets:
            made.close()
        raise Unavailable(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            code="port_in_use",
            hint="Stop the program that uses it, or set OCTAVIA_PORT to another port.",
        ) from error
    return sockets


def passed(numbers: Sequence[int]) -> list[socket.socket]:
    """Take the sockets that the parent process has bound and passed, by their numbers."""
    return [socket.socket(fileno=number) for number in numbers]
