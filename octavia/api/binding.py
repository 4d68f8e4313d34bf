"""Rules for the host to listen on: if it requires keys, and which requests are answered without keys."""

import ipaddress
import re
import socket
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from octavia.api.http.operations import is_public
from octavia.api.http.problems import problem_response
from octavia.errors import InputError
from octavia.settings import Settings

_SHOWN = 100
_REMEDY = "Set OCTAVIA_AUTH=keys, make a key with `octavia keys create`, and send it."
_SIGNS_OF_PROXIES = ("via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "cf-ray")
"""Headers of proxies whose names do not contain ``forwarded``."""

_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE)
_NEAR: Final = ("same-origin", "same-site", "none")
"""Values of ``Sec-Fetch-Site`` for requests of pages on this machine, whatever their port, and of the user."""


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
    """Answers only requests from this machine to its own name, for an API without keys.

    - A proxy on this machine would let everybody in: what it passes on is refused, also if its other headers are
      believed. They say where a request comes from, not that its sender may do everything.
    - Another server may run the app, and listen where the settings do not say.
    - A page in the user's browser can reach 127.0.0.1, too: by a DNS name of its own that points there (the Host header
      shows it), or across sites (the headers Origin and Sec-Fetch-Site show it). Links to pages that need no key work.
    - Pages that other programs serve on this machine are trusted as those programs are, which can send requests
      themselves.
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
        if sign := _sign_of_a_proxy(connection):
            return InputError(
                f"The request comes through a proxy ({sign}), and this API has no keys: anyone could use it.",
                code="proxy_not_allowed",
                hint=f"{_REMEDY} A proxy that knows its users may add the header Authorization itself. "
                "Without a proxy, use http://127.0.0.1.",
            )
        if connection.client is not None and _is_address(connection.client.host, of_loopback=False):
            return InputError(
                "The request comes from another machine, and this API has no keys: anyone could use it.",
                code="host_not_allowed",
                hint=_REMEDY,
            )
        hosts = connection.headers.getlist("host")
        if len(hosts) != 1 or not _is_local(hosts[0]):
            return InputError(
                f"The host {', '.join(hosts)[:_SHOWN]!r} is not this machine.",
                code="host_not_allowed",
                hint="Use http://127.0.0.1.",
            )
        if sign := _sign_of_another_site(connection):
            return InputError(
                f"The request comes from a page of another site ({sign[:_SHOWN]}), and this API has no keys.",
                code="origin_not_allowed",
                hint="Send it from a program, or from a page of the same host: localhost and 127.0.0.1 are two.",
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


def _is_local(authority: str) -> bool:
    """Return whether a host, with or without a port, is a name or an address of this machine, and nothing besides."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        return False
    name = (found[1] or found[2]).lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _sign_of_another_site(connection: HTTPConnection) -> str | None:
    """Return the header by which a browser says that a page of another site asks; None without one.

    Programs send neither header. Reads are refused as well: their answers are hidden from such pages, but not the time
    that they take, nor the messages of a WebSocket.
    """
    for origin in (origins := connection.headers.getlist("origin")):
        # Not null, and no list, path or login.
        scheme, _, authority = origin.partition("://")
        if len(origins) > 1 or scheme not in ("http", "https") or not _is_local(authority):
            return f"Origin: {origin}"
    for site in (sites := connection.headers.getlist("sec-fetch-site")):
        if (len(sites) > 1 or site not in _NEAR) and not _follows_a_link(connection):
            return f"Sec-Fetch-Site: {site}"
    return None


def _follows_a_link(connection: HTTPConnection) -> bool:
    """Return whether the user goes to a page that needs no key, in a tab or window of its own."""
    scope, headers = connection.scope, connection.headers
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        and is_public(scope["app"].routes, scope)
    )


def _sign_of_a_proxy(connection: HTTPConnection) -> str | None:
    """Return the sign that a proxy passes a request on; None if there is none."""
    name: str
    for name in connection.headers:
        if "forwarded" in name or name in _SIGNS_OF_PROXIES:
            return name
    # nginx adds no header by default, but speaks a version that no browser and hardly a program speaks any more.
    return "HTTP/1.0" if connection.scope.get("http_version") == "1.0" else None


def _is_loopback(address: str) -> bool:
    return _is_address(address, of_loopback=True)


def _is_address(text: str, *, of_loopback: bool) -> bool:
    """Return whether a text is an address of this kind; False for what is no address, such as a name."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback is of_loopback
