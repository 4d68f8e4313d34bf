"""Who gets a place among the connections, and who makes room. The clock is the event loop's own."""

import asyncio
import socket
from ipaddress import ip_network
from typing import Any

import pytest

from octavia.api.http.slow_clients.crowd import Crowd

HERE = "127.0.0.1"
PROXY = "10.0.0.5"


class Line(asyncio.Transport):
    """A transport to an address, with nothing on its way."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1), "socket": socket.socket()})
        self.get_extra_info("socket").close()
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.aborted = True


class Caller:
    """A connection whose client lets us wait for so many seconds already; None: that waits for us."""

    def __init__(self, address: str = HERE, *, waited: float | None = None, idle: bool = False) -> None:
        self.transport: Any = Line(address)
        self.waiting_since = None if waited is None else asyncio.get_running_loop().time() - waited
        self.idle = idle

    @property
    def gone(self) -> bool:
        return bool(self.transport.aborted)


def crowd(most: int = 8, most_per_address: int = 2) -> Crowd:
    trusted = (ip_network(f"{PROXY}/32"),)
    return Crowd(most, most_per_address, uncounted=trusted, pause=60, bytes_per_second=1000)


def test_one_address_cannot_take_all_places() -> None:
    async def check() -> None:
        # Given an address with as many busy connections as it may have
        many = crowd()
        first, second = Caller("192.0.2.1"), Caller("192.0.2.1")
        assert many.admit(first)
        assert many.admit(second)
        # When it opens another one, and another address does, Then only that one gets a place
        assert not many.admit(Caller("192.0.2.1"))
        assert many.admit(Caller("192.0.2.2"))
        # When one of the former has gone, Then there is room for another one
        many.leave(first.transport)
        assert many.admit(Caller("192.0.2.1"))

    asyncio.run(check())


def test_an_idle_connection_makes_room_for_another_one_of_its_address_only() -> None:
    async def check() -> None:
        many = crowd()
        others, own = Caller("192.0.2.2", waited=90, idle=True), Caller("192.0.2.1", waited=0.1, idle=True)
        for caller in (others, own, Caller("192.0.2.1")):
            assert many.admit(caller)
        assert many.admit(Caller("192.0.2.1"))
        assert own.gone
        assert not others.gone

    asyncio.run(check())


@pytest.mark.parametrize("address", [HERE, "::1", "::ffff:127.0.0.1", PROXY, f"::ffff:{PROXY}"])
def test_addresses_that_stand_for_many_clients_have_no_bound_of_their_own(address: str) -> None:
    async def check() -> None:
        many = crowd()
        for _ in range(8):
            assert many.admit(Caller(address))
        assert not many.admit(Caller(address))

    asyncio.run(check())


def test_a_network_of_ipv6_is_one_client() -> None:
    async def check() -> None:
        many = crowd()
        assert many.admit(Caller("2001:db8::1"))
        assert many.admit(Caller("2001:db8::ffff:2"))
        assert not many.admit(Caller("2001:db8::3"))
        assert many.admit(Caller("2001:db8:0:1::3"))

    asyncio.run(check())


def test_who_has_kept_us_waiting_for_longest_makes_room() -> None:
    async def check() -> None:
        # Given a full house: some are busy, some idle, some do not go on
        many = crowd(most=4)
        idle, stuck = Caller(waited=20, idle=True), Caller(waited=30)
        callers = [Caller(), idle, stuck, Caller()]
        assert all(many.admit(caller) for caller in callers)
        # When others come, Then room is made in this order, and when all are busy, none is made
        assert many.admit(Caller())
        assert (idle.gone, stuck.gone) == (False, True)
        assert many.admit(Caller())
        assert idle.gone
        assert not many.admit(Caller())
        assert len(many) == 4
        assert not callers[0].gone
        assert not callers[3].gone

    asyncio.run(check())


def test_who_stalls_for_a_moment_is_spared_unless_it_came_when_it_was_crowded() -> None:
    async def check() -> None:
        # Given clients that have just begun to stall, one of which came late
        many = crowd(most=4)
        early = [Caller(waited=0.3) for _ in range(3)]
        late = Caller(waited=0.1)
        assert all(many.admit(caller) for caller in [*early, late])
        # When another one comes, Then the late one makes room
        assert many.admit(Caller())
        assert late.gone
        assert not many.admit(Caller())
        assert not any(caller.gone for caller in early)

    asyncio.run(check())
