"""The network as Octavia's outbound requests see it: names are resolved here, judged, and connected to as judged."""

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

_RESOLVE_SECONDS: Final = 5.0
# A resolver that does not answer holds its thread for as long as it likes; no more than these.
_RESOLVE_THREADS: Final = 16
_MOST_ADDRESSES: Final = 8


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to hosts that are public, or allowed.

    Parameters:
      allowed: What else may be reached.
    """

    def __init__(self, allowed: Allowlist) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()
        self._threads = CapacityLimiter(_RESOLVE_THREADS)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as the class above has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses, once all of them were found good.

        Raises:
          UrlNotAllowed: One of them is not.
        """
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._addresses(host, port):
            try:
                # An address, not the name: nobody looks it up again. TLS and the Host header still go by the name.
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
            with anyio.fail_after(_RESOLVE_SECONDS):
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
    """The addresses of a host, in the system's order of preference."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
