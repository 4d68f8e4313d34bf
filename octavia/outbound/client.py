"""An HTTP client that goes where it may and nowhere else."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore
import httpx

from octavia import __version__
from octavia.outbound.allowlist import Allowlist
from octavia.outbound.backend import GuardedBackend
from octavia.outbound.errors import UrlUnreachable
from octavia.outbound.urls import shown
from octavia.settings import Settings

USER_AGENT = f"Octavia/{__version__}"


def client(settings: Settings, *, timeout: httpx.Timeout, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client for addresses that came from outside.

    Each request has a connection of its own, follows no redirect and uses no proxy, whatever the environment says.

    Parameters:
      timeout: Of connecting, and of each pause in sending and receiving.
      tls: Which certificates are trusted; None: those of the system's usual settings (``SSL_CERT_FILE``).
    """
    return httpx.AsyncClient(
        transport=_Transport(Allowlist.parse(settings.outbound_allow), tls or httpx.create_ssl_context()),
        timeout=timeout,
        headers={"user-agent": USER_AGENT},
        follow_redirects=False,
        trust_env=False,
    )


@contextmanager
def failures(url: str) -> Iterator[None]:
    """Turn what goes wrong with a request into ``UrlUnreachable``."""
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise UrlUnreachable(
            f"{shown(url)} does not answer: {reason}.", hint="See that the server runs and can be reached from here."
        ) from error


class _Transport(httpx.AsyncHTTPTransport):
    """HTTPX's own, over our network."""

    def __init__(self, allowed: Allowlist, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        # HTTPX has no parameter for the network; its pool takes one.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=GuardedBackend(allowed),
        )
