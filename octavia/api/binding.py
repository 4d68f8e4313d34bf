"""Rules for the host to listen on: if it requires keys, and which requests are answered without keys."""

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
    """Return whether requests must carry a key."""
    if settings.auth == "auto":
        return not _only_loopback(settings.host)
    return settings.auth == "keys"


def check_host(settings: Settings) -> None:
    """Refuse to listen without keys where other machines can reach us.

    Raises:
      InputError: ``host_not_allowed``: keys are off, and the host is not a loopback address, or a name with other
        addresses, too.
    """
    if not keys_required(settings) and not _only_loopback(settings.host):
        raise InputError(
            f"Octavia does not listen on {settings.host!r} with OCTAVIA_AUTH=off: anyone could use it.",
            code="host_not_allowed",
            hint="Set OCTAVIA_AUTH=keys and make keys with `octavia keys create`, or set OCTAVIA_HOST=127.0.0.1.",
            field="host",
        )


class LoopbackOnly:
    """Answers only requests to this machine's name, and no requests of other sites' pages, for an API without keys.

    A page in the user's browser can reach 127.0.0.1, too: by a DNS name of its own that points there (the Host header
    shows it), or by posting a form or opening a WebSocket across sites (the Origin header shows it).
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
        # Browsers hide HTTP answers from pages of other sites, but not messages of a WebSocket.
        harmless = connection.scope["type"] == "http" and connection.scope["method"] in _READ_ONLY
        if origin is not None and not harmless and not _is_local(origin):
            return InputError(
                f"Pages of {origin!r} may not change anything here.",
                code="origin_not_allowed",
                hint="Send the request from a program, or from a page on this machine.",
            )
        return None


def _only_loopback(host: str) -> bool:
    """Return whether all addresses of a host are loopback; False without any, which some servers take for all hosts."""
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
