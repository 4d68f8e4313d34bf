"""The path of a request: the path under which a proxy serves us, then one of ours."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from octavia.links import checked_root

log = structlog.get_logger()

_PREFIX = "x-forwarded-prefix"
_ROOT = "app_root_path"
"""Starlette's name: its routes move ``root_path`` on as they match, and leave this as it is."""


class RootPath:
    """Finds the path under which a proxy serves us, which every link in an answer begins with.

    A proxy may remove it from requests, or pass them on as they are; a path that begins like one of ours is taken as it
    is. Links have neither a scheme nor a host, so ``Forwarded`` and the other ``X-Forwarded-`` headers change nothing.

    Parameters:
      root: The path, if the operator has set it; then no proxy is asked.
      trusted: Networks of the proxies whose ``X-Forwarded-Prefix`` is believed.
    """

    def __init__(self, app: ASGIApp, *, root: str, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self.app = app
        self._root = root
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] in ("http", "websocket"):
            if above := scope.get("root_path", ""):
                # Of a server or a larger app, which has put it in front of the path already.
                scope = {**scope, _ROOT: above}
            elif root := self._root or self._forwarded(scope):
                scope = _below(root, scope)
        await self.app(scope, receive, send)

    def _forwarded(self, scope: Scope) -> str:
        """Return the prefixes of all proxies on the way, the outermost first; empty without a trusted one."""
        given = Headers(scope=scope).getlist(_PREFIX)
        if not given or not self._trusts(scope):
            return ""
        try:
            return "".join(checked_root(prefix.strip()) for value in given for prefix in value.split(","))
        except ValueError:
            log.warning("forwarded_prefix_ignored", reason="it is no plain path")
            return ""

    def _trusts(self, scope: Scope) -> bool:
        try:
            address = ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        # A server that listens on IPv6 sees IPv4 addresses within it.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._trusted)


def root_of(connection: HTTPConnection) -> str:
    """Return the path under which a proxy serves us; empty for the top."""
    found: str = connection.scope.get(_ROOT, "")
    return found


def path_of(connection: HTTPConnection) -> str:
    """Return a request's path as one of ours, without the path under which a proxy serves us."""
    return connection.url.path.removeprefix(root_of(connection))


def _below(root: str, scope: Scope) -> Scope:
    path = scope["path"]
    whole = f"{path}/".startswith(f"{root}/") and not _is_ours(scope)
    return {**scope, _ROOT: root, "root_path": root, "path": path if whole else f"{root}{path}"}


def _is_ours(scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in scope["app"].routes)
