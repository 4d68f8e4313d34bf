"""Where to listen, whether that takes keys, and, where it takes none, whom to answer."""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from octavia.api.http.problems import problem_response
from octavia.errors import InputError
from octavia.settings import Settings

_READ_ONLY = ("GET", "HEAD", "OPTIONS")


def keys_required(settings: Settings) -> bool:
    """Whether requests must carry a key."""
    if settings.auth == "auto":
        return not _only_loopback(settings.host)
    return settings.auth == "keys"


def check_host(settings: Settings) -> None:
    """Refuse to listen where other machines can reach us if nobody has to show a key.

    Raises:
      InputError: ``host_not_allowed``: keys are off, and the host is not a loopback address, or a name that has another
        address too.
    """
    if not keys_required(settings) and not _only_loopback(settings.host):
        raise InputError(
            f"Octavia does not listen on {settings.host!r} with OCTAVIA_AUTH=off: whoever reaches it could use it.",
            code="host_not_allowed",
            hint="Set OCTAVIA_AUTH=keys and make some with `octavia keys create`, or OCTAVIA_HOST=127.0.0.1.",
            field="host",
        )


class LoopbackOnly:
    """Answers only requests that name this machine, and no requests of foreign web pages.

    For an API that asks for no keys. A page in the user's browser can reach 127.0.0.1 too: by a DNS name of its own
    that it lets point there, which the Host header shows, or by posting a form or opening a WebSocket across sites,
    which the Origin header shows.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        error = self._refusal(HTTPConnection(scope)) if scope["type"] in ("http", "websocket") else None
        if error is None:
            await self.app(scope, receive, send)
        else:
            await problem_response(error, HTTPConnection(scope))(scope, receive, send)

    def _refusal(self, connection: HTTPConnection) -> InputError | None:
        host = connection.headers.get("host", "")
        if not _is_local(f"//{host}"):
            return InputError(
                f"The host {host!r} is not this machine.", code="host_not_allowed", hint="Use http://127.0.0.1."
            )
        origin = connection.headers.get("origin")
        # Of what it reads over HTTP a foreign page sees nothing, but browsers let it read from any WebSocket.
        harmless = connection.scope["type"] == "http" and connection.scope["method"] in _READ_ONLY
        if origin is not None and not harmless and not _is_local(origin):
            return InputError(
                f"Pages of {origin!r} may not change anything here.",
                code="origin_not_allowed",
                hint="Send the request from a program, or from a page on this machine.",
            )
        return None


def _only_loopback(host: str) -> bool:
    """False for a host that has no address, too: some servers take that for all there are."""
    try:
        found = socket.getaddrinfo(host, None) if host else []
    except OSError:
        found = []
    addresses = {str(entry[4][0]) for entry in found}
    return bool(addresses) and all(_is_loopback(address) for address in addresses)


def _is_local(url: str) -> bool:
    try:
        name = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
