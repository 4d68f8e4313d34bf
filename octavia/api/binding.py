"""Until requests carry keys, only this machine may be served: where to listen, and whom to answer."""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from octavia.api.problems import problem
from octavia.errors import InputError

_READ_ONLY = ("GET", "HEAD", "OPTIONS")


def check_host(host: str) -> None:
    """Refuse to listen where other machines can reach us.

    Raises:
      InputError: ``host_not_allowed``: not a loopback address, or a name with another address than those.
    """
    try:
        found = socket.getaddrinfo(host, None) if host else []
    except OSError:
        found = []
    addresses = {str(entry[4][0]) for entry in found}
    if not addresses or not all(_is_loopback(address) for address in addresses):
        raise InputError(
            f"Octavia does not listen on {host!r}: whoever reaches it could use it, there are no keys yet.",
            code="host_not_allowed",
            hint="Listen on 127.0.0.1 (OCTAVIA_HOST); to come from another machine, use a tunnel such as ssh -L.",
            field="host",
        )


class LoopbackOnly:
    """Answers only requests that name this machine, and no requests of foreign web pages.

    A page in the user's browser can reach 127.0.0.1 too: by a DNS name of its own that it lets point there, which the
    Host header shows, or by posting a form across sites, which the Origin header shows.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        error = self._refusal(Request(scope)) if scope["type"] == "http" else None
        if error is None:
            await self.app(scope, receive, send)
        else:
            await problem(error, Request(scope))(scope, receive, send)

    def _refusal(self, request: Request) -> InputError | None:
        host = request.headers.get("host", "")
        if not _is_local(f"//{host}"):
            return InputError(
                f"The host {host!r} is not this machine.", code="host_not_allowed", hint="Use http://127.0.0.1."
            )
        origin = request.headers.get("origin")
        if origin is not None and request.method not in _READ_ONLY and not _is_local(origin):
            return InputError(
                f"Pages of {origin!r} may not change anything here.",
                code="origin_not_allowed",
                hint="Send the request from a program, or from a page on this machine.",
            )
        return None


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
