"""The address that the HTTP API is to listen on, checked before anything starts."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from octavia.settings import Settings


def check_address(settings: "Settings") -> None:
    """Refuse an address that is in use (``port_in_use``) or must not be served without keys (``host_not_allowed``)."""
    from octavia.api.binding import check_host
    from octavia.api.listening import bound

    check_host(settings)
    for probe in bound(settings):
        probe.close()
