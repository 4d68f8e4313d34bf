"""One reader of a state that many clients watch: each gets the newest, and none that it is too slow for."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import anyio

from octavia.api.live.signal import Signal
from octavia.background import Turns, keep_on_async

_KEYS_SECONDS: Final = 2.0

Read = Callable[[str | None], Awaitable[str]]
"""Reads the state as the owner of that name may see it, or as one who sees all owners' jobs."""

ReadInvalidKeys = Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]
"""Finds invalid keys; see ``octavia.jobs.access.keys.no_longer_valid``."""


class Latest:
    """Reads a state every ``every_seconds`` while somebody watches it, and tells the watchers when it has changed.

    Attributes:
      turns: How its readings go.
    """

    def __init__(self, read: Read, read_invalid_keys: ReadInvalidKeys, *, every_seconds: float = 1.0) -> None:
        self.turns = Turns("operator_reading", first=0.2, longest=5.0)
        self._read = read
        self._read_invalid_keys = read_invalid_keys
        self._every = every_seconds
        self._states: dict[str | None, str] = {}
        self._watchers: Counter[str | None] = Counter()
        self._keys: Counter[UUID] = Counter()
        self._invalid_keys: Collection[UUID] = ()
        self._keys_read_at = float("-inf")
        self._arrived = Signal()
        self._changed = Signal()
        self._closed = False

    async def run(self) -> None:
        """Read for ever."""
        self._closed = False
        await keep_on_async(self.turns, self._turn)

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        self._changed.notify()

    @asynccontextmanager
    async def watch(self, owner: str | None, key: UUID | None) -> AsyncIterator[AsyncIterator[str]]:
        """Watch the state; the iterator ends soon after the client's key became invalid, and when this is closed.

        Waiting holds neither a thread nor a database connection.
        """
        self._watchers[owner] += 1
        if key is not None:
            self._keys[key] += 1
        self._arrived.notify()
        try:
            yield self._states_of(owner, key)
        finally:
            self._watchers[owner] -= 1
            if not self._watchers[owner]:
                del self._watchers[owner]
                self._states.pop(owner, None)
            if key is not None:
                self._keys[key] -= 1
                self._keys += Counter()

    async def _states_of(self, owner: str | None, key: UUID | None) -> AsyncIterator[str]:
        told = None
        while not self._closed and key not in self._invalid_keys:
            state = self._states.get(owner)
            if state is None or state == told:
                await self._changed.wait()
                continue
            yield state
            told = state

    async def _turn(self) -> None:
        if not self._watchers:
            await self._arrived.wait()
        await self._check_keys()
        for owner in list(self._watchers):
            state = await self._read(owner)
            if owner in self._watchers and self._states.get(owner) != state:
                self._states[owner] = state
                self._changed.notify()
        with anyio.move_on_after(self._every):
            # One that has just come need not wait for the first state.
            await self._arrived.wait()

    async def _check_keys(self) -> None:
        if anyio.current_time() < self._keys_read_at + _KEYS_SECONDS:
            return
        self._invalid_keys = await self._read_invalid_keys(tuple(self._keys)) if self._keys else ()
        self._keys_read_at = anyio.current_time()
        if self._invalid_keys:
            self._changed.notify()
