"""One reading for all who watch a state: the newest for each, and none while nobody watches."""

from collections.abc import Collection
from uuid import UUID, uuid4

import anyio
import anyio.lowlevel
import pytest

from octavia.api.live.latest import Latest
from octavia.errors import Unavailable

pytestmark = pytest.mark.anyio
OFTEN = 0.01


class Service:
    """A state in memory, which is read; says how often it was."""

    def __init__(self) -> None:
        self.state = "first"
        self.readings: list[str | None] = []
        self.away = False
        self.revoked: set[UUID] = set()
        self.asked = anyio.Event()
        self.latest = Latest(self.read, self.lapsed, every_seconds=OFTEN)

    async def read(self, owner: str | None) -> str:
        await anyio.lowlevel.checkpoint()
        self.readings.append(owner)
        self.asked.set()
        if self.away:
            raise Unavailable("away")
        return f"{self.state} of {owner}"

    async def lapsed(self, ids: Collection[UUID]) -> set[UUID]:
        return self.revoked & set(ids)


async def test_every_watcher_gets_the_newest_state_of_one_reading() -> None:
    # Given many who watch
    service = Service()
    got: list[str] = []
    all_told = anyio.Event()

    async def watch() -> None:
        async with service.latest.watch(None, None) as states:
            async for state in states:
                got.append(state)
                if len(got) == 50:
                    all_told.set()
                if state.startswith("last"):
                    return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service.latest.run)
        async with anyio.create_task_group() as watchers:
            for _ in range(50):
                watchers.start_soon(watch)
            with anyio.fail_after(5):
                await all_told.wait()
                # When the state changes
                service.state = "last"
        # Then each has been told once of each state, by a few readings
        assert (got.count("first of None"), got.count("last of None")) == (50, 50)
        assert len(service.readings) < 50
        tasks.cancel_scope.cancel()


async def test_nothing_is_read_while_nobody_watches() -> None:
    service = Service()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service.latest.run)
        # Given somebody who watched and left
        async with service.latest.watch("ann", None) as states:
            assert await anext(states) == "first of ann"
        with anyio.fail_after(5):
            while True:
                # When time passes, Then the readings end
                before = len(service.readings)
                await anyio.sleep(5 * OFTEN)
                if len(service.readings) == before:
                    break
        # And the next one to come gets what is new
        service.state = "second"
        async with service.latest.watch("ann", None) as states:
            assert await anext(states) == "second of ann"
        tasks.cancel_scope.cancel()


async def test_it_outlives_an_outage_and_ends_with_the_key_and_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("octavia.api.live.latest._KEYS_SECONDS", 0)
    service, key = Service(), uuid4()
    service.away = True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service.latest.run)
        async with service.latest.watch(None, key) as states, service.latest.watch(None, None) as others:
            # Given an outage, When it is over, Then the watcher gets the state
            with anyio.fail_after(5):
                await service.asked.wait()
                service.away = False
                assert await anext(states) == await anext(others) == "first of None"
                # When the key is revoked, Then its watch ends
                service.revoked.add(key)
                with pytest.raises(StopAsyncIteration):
                    await anext(states)
                # And the other goes on, until the service ends
                service.state = "second"
                assert await anext(others) == "second of None"
                service.latest.close()
                with pytest.raises(StopAsyncIteration):
                    await anext(others)
        tasks.cancel_scope.cancel()
