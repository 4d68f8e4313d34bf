"""The network of outbound requests: resolve a name, check its addresses, connect to one of those checked."""

import socket
from collections.abc import Iterable
from typing import Any, Final

import anyio
import anyio.to_thread
import httpcore
from anyio import CapacityLimiter

from octavia.outbound.addresses import Address, resolved
from octavia.outbound.allowlist import Allowlist
from octavia.outbound.urls import not_public

RESOLVE_SECONDS: Final = 5.0
"""Seconds to wait for the resolver."""

# A hanging resolver blocks its thread for an unlimited time; at most so many are used.
_RESOLVE_THREADS: Final = 16
_MOST_ADDRESSES: Final = 8


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to hosts that are public or allowed.

    Parameters:
      allowed: The hosts and networks to allow besides public ones.
      resolve_seconds: Seconds to wait for the resolver.
    """

    def __init__(self, allowed: Allowlist, *, resolve_seconds: float = RESOLVE_SECONDS) -> None:
        self._allowed = allowed
        self._resolve_seconds = resolve_seconds
        self._inner = httpcore.AnyIOBackend()
        self._threads = CapacityLimiter(_RESOLVE_THREADS)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses after checking all of them.

        Raises:
          UrlNotAllowed: An address is neither public nor allowed.
          httpcore.ConnectError, httpcore.ConnectTimeout: The host cannot be resolved or connected to.
        """
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._addresses(host, port):
            try:
                # Pass the address, so that the name is not resolved again. TLS and the Host header still use the name.
                return await self._inner.connect_tcp(
                    str(address), port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._inner.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            with anyio.fail_after(self._resolve_seconds):
                found = await anyio.to_thread.run_sync(
                    resolve, host, port, abandon_on_cancel=True, limiter=self._threads
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        addresses = list(dict.fromkeys(resolved(text) for text in found))
        if not all(self._allowed.permits(host, address) for address in addresses):
            raise not_public(host)
        return addresses[:_MOST_ADDRESSES]


def resolve(host: str, port: int) -> list[str]:
    """Resolve a host to its addresses, in the system's order of preference.

    Raises:
      OSError, UnicodeError: It cannot be resolved.
    """
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
