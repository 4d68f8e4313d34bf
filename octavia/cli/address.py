"""The address that the HTTP API is to listen on, checked before anything starts."""

import socket

from octavia.errors import Unavailable
from octavia.settings import Settings


def check_address(settings: Settings) -> None:
    """Refuse an address that is in use (``port_in_use``) or must not be served without keys (``host_not_allowed``)."""
    from octavia.api.binding import check_host

    check_host(settings)
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        # As the server binds it: a port that only lingers after its last user counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
                code="port_in_use",
                hint="Stop the program that uses it, or set OCTAVIA_PORT to another port.",
            ) from error
