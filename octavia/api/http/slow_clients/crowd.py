"""All connections of this process: how many there may be, who makes room for another one, and who reads too slowly."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol

import structlog

from octavia.api.http.slow_clients.delivery import Delivery

_SWEEP_SECONDS: Final = 1.0
_SWEEP_AGAIN_SECONDS: Final = 0.05
"""Least time between two sweeps for newcomers: a flood of them must not cost more than this."""

_PATIENCE_SECONDS: Final = 1.0
"""For how long a client may let us wait before it has to make room for another one."""

log = structlog.get_logger()


class Member(Protocol):
    """A connection's protocol.

    Attributes:
      transport: Its transport.
    """

    transport: asyncio.Transport

    @property
    def waiting_since(self) -> float | None:
        """Since when the client has something to send before we can go on; None while it has nothing."""

    @property
    def idle(self) -> bool:
        """True between two requests, where the connection can be closed without harm."""


class _Place:
    """A connection in the crowd. Its protocol changes when it becomes a WebSocket."""

    def __init__(self, member: Member, address: str | None, delivery: Delivery, patience: float) -> None:
        self.member = member
        self.address = address
        self.delivery = delivery
        self.patience = patience

    def kept_us_waiting(self, now: float) -> float | None:
        """Return for how many seconds; None if it is not up to the client, or if it is spared still."""
        since = self.delivery.stuck_since
        if since is None and not self.member.transport.get_write_buffer_size():
            since = self.member.waiting_since
        if since is None:
            return None
        waited = now - since
        return waited if self.idle or waited >= self.patience else None

    @property
    def idle(self) -> bool:
        """True if the connection can be closed without harm: its client has no request, and has got all answers."""
        return self.member.idle and self.delivery.stuck_since is None


class Crowd:
    """Bounds the connections in all and of one address, and ends those whose clients do not read.

    When there are too many, the client that has kept us waiting for longest makes room for the newcomer, be it that it
    has no request, does not go on with one, or does not read. Only where all are busy is the newcomer refused. So
    connections that do nothing cost others nothing, however many there are; nginx does the same with idle ones. A
    client that stalls for a moment is spared, unless it came when three quarters of the places were taken.

    Parameters:
      most, most_per_address: The bounds.
      uncounted: Networks whose addresses stand for many clients: they have the bound in all only.
      pause, bytes_per_second: A client must take so much on average in so many seconds; see ``Delivery``.
    """

    def __init__(
        self,
        most: int,
        most_per_address: int,
        *,
        uncounted: Sequence[IPv4Network | IPv6Network],
        pause: float,
        bytes_per_second: int,
    ) -> None:
        self.most = most
        self.most_per_address = most_per_address
        self._uncounted = uncounted
        self._pause = pause
        self._bytes_per_second = bytes_per_second
        self._places: dict[asyncio.Transport, _Place] = {}
        self._by_address: Counter[str] = Counter()
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._places)

    def admit(self, member: Member) -> bool:
        """Give a new connection a place, and return whether there was one."""
        address = self._counted(member.transport)
        if address is not None and self._by_address[address] >= self.most_per_address and not self._make_room(address):
            log.warning("connection_refused", reason="too many connections of its address", most=self.most_per_address)
            return False
        if len(self) >= self.most and not self._make_room(None):
            log.warning("connection_refused", reason="too many connections in all", most=self.most)
            return False
        delivery = Delivery(member.transport, pause=self._pause, bytes_per_second=self._bytes_per_second)
        patience = _PATIENCE_SECONDS if len(self) < self.most * 3 // 4 else 0.0
        self._places[member.transport] = _Place(member, address, delivery, patience)
        if address is not None:
            self._by_address[address] += 1
        return True

    def pass_on(self, member: Member) -> None:
        """Give a connection's place to its new protocol."""
        if (place := self._places.get(member.transport)) is not None:
            place.member = member

    def leave(self, transport: asyncio.Transport) -> None:
        """Free the place of a connection, if it has one."""
        place = self._places.pop(transport, None)
        if place is not None and place.address is not None:
            self._by_address[place.address] -= 1
            if not self._by_address[place.address]:
                del self._by_address[place.address]

    async def watch(self) -> None:
        """Sweep once, and wait until it is time for the next one."""
        self.sweep()
        await asyncio.sleep(_SWEEP_SECONDS)

    def sweep(self) -> None:
        """See what each client has taken, and end the connections of those that do not read."""
        now = asyncio.get_running_loop().time()
        # While this process was held up, clients could not get anything from it.
        elapsed = min(now - self._swept, 2 * _SWEEP_SECONDS)
        self._swept = now
        for place in tuple(self._places.values()):
            place.delivery.look(now, elapsed)
            if place.delivery.too_slow:
                log.warning("connection_ended", reason="its client does not read", client=place.address)
                self._end(place)

    def _make_room(self, address: str | None) -> bool:
        """End the connection that has kept us waiting for longest; return whether there was one.

        Parameters:
          address: Only connections of this address; None: of all.
        """
        now = asyncio.get_running_loop().time()
        place = self._longest_waited_for(address, now)
        if place is None and now - self._swept >= _SWEEP_AGAIN_SECONDS:
            self.sweep()
            place = self._longest_waited_for(address, now)
        if place is None:
            return False
        if not place.idle:
            log.warning("connection_ended", reason="others need its place", client=place.address)
        self._end(place)
        return True

    def _longest_waited_for(self, address: str | None, now: float) -> _Place | None:
        found, longest = None, -1.0
        for place in self._places.values():
            if address is not None and place.address != address:
                continue
            waited = place.kept_us_waiting(now)
            if waited is not None and waited > longest:
                found, longest = place, waited
        return found

    def _end(self, place: _Place) -> None:
        self.leave(place.member.transport)
        place.member.transport.abort()

    def _counted(self, transport: asyncio.Transport) -> str | None:
        """Return the address that a connection counts for; None if it counts for none."""
        peer = transport.get_extra_info("peername")
        try:
            address = ip_address(peer[0])
        except (TypeError, ValueError, IndexError):
            return None
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_loopback or any(address in network for network in self._uncounted):
            return None
        # A client with IPv6 has a whole /64.
        return str(ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)
