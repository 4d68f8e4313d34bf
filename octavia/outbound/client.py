"""An HTTP client that connects only to public and allowed hosts."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore
import httpx

from octavia import __version__
from octavia.header_lines import read_in_linear_time
from octavia.outbound.allowlist import Allowlist
from octavia.outbound.backend import RESOLVE_SECONDS, GuardedBackend
from octavia.outbound.errors import UrlUnreachable
from octavia.settings import Settings
from octavia.urls import shown


def client(
    settings: Settings,
    *,
    timeout: httpx.Timeout,
    tls: ssl.SSLContext | None = None,
    resolve_seconds: float = RESOLVE_SECONDS,
) -> httpx.AsyncClient:
    """Make a client for URLs that clients of the API name.

    Each request has a connection of its own, follows no redirect and uses no proxy, whatever the environment says.

    Parameters:
      timeout: Seconds for connecting, and for each pause in sending and receiving.
      tls: The trusted certificates; None takes the system's (``SSL_CERT_FILE``).
      resolve_seconds: Seconds to wait for the resolver.
    """
    read_in_linear_time()
    backend = GuardedBackend(Allowlist.parse(settings.outbound_allow), resolve_seconds=resolve_seconds)
    tls = tls or httpx.create_ssl_context()
    transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False)
    # HTTPX has no parameter for the network backend, but its connection pool has.
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=tls, max_connections=None, max_keepalive_connections=0, network_backend=backend
    )
    return httpx.AsyncClient(
        transport=transport,
        timeout=timeout,
        headers={"user-agent": f"Octavia/{__version__}"},
        follow_redirects=False,
        trust_env=False,
    )


@contextmanager
def failures(url: str) -> Iterator[None]:
    """Turn the transport errors of a request for ``url`` into ``UrlUnreachable``."""
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise UrlUnreachable(
            f"{shown(url)} does not answer: {reason}.",
            hint="Check that it runs and can be reached from here.",
        ) from error
