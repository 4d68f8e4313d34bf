"""One reader for all jobs that clients of this process watch, however many clients there are."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import anyio
from starlette.requests import HTTPConnection

from octavia.api.live.channel import KEPT, Channel
from octavia.api.live.signal import Signal
from octavia.background import Turns, keep_on_async
from octavia.backoff import Backoff
from octavia.errors import Unavailable
from octavia.jobs.status.watching import News
from octavia.jobs.tables.records import EventRecord

_GATHER_SECONDS: Final = 0.01
"""Wake-ups within this time share one reading."""

ReadNews = Callable[[Mapping[UUID, int], int], Awaitable[Mapping[UUID, News]]]
"""Reads news of watched jobs; see ``octavia.jobs.status.watching.news``."""

ReadEvents = Callable[[UUID, int, int], Awaitable[Sequence[EventRecord]]]
"""Reads a job's events; see ``octavia.jobs.tables.events.since``."""

ReadInvalidKeys = Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]
"""Finds invalid keys; see ``octavia.jobs.access.keys.no_longer_valid``."""


class Hub:
    """Reads the news of all watched jobs at once, and passes them on to the clients that watch.

    A client's ``watch`` opens a ``Channel`` for its job, and asks for a reading. ``wake`` asks for one when a job may
    have news; because such wake-ups can get lost, all watched jobs are read every ``poll_seconds`` anyway. ``run``
    reads all requested jobs in one query and updates their channels, which keep the newest events and wake their
    watchers. A ``Watch`` has no queue, only the number of its client's last event: a slow client falls behind, then
    reads older events from the database in pages, and costs no more memory than a fast one.

    Parameters:
      read_news, read_events, read_invalid_keys: Read the database; called again after ``Unavailable``.
      pauses: Seconds between tries when reading fails: the first pause and the longest.

    Attributes:
      closed: True once the process is ending: no more events come.
      invalid_keys: The watching clients' keys that were revoked or had expired when the keys were last read.
      poll_seconds: How long a lost wake-up can delay an event.
      heartbeat_seconds: How often a stream without events shows its client that it is alive.
      turns: How its readings go.
    """

    def __init__(
        self,
        read_news: ReadNews,
        read_events: ReadEvents,
        read_invalid_keys: ReadInvalidKeys,
        *,
        poll_seconds: float = 2.0,
        heartbeat_seconds: float = 15,
        pauses: tuple[float, float] = (0.2, 5.0),
    ) -> None:
        self.closed = False
        self.poll_seconds = poll_seconds
        self.heartbeat_seconds = heartbeat_seconds
        self.turns = Turns("live_reading", first=pauses[0], longest=pauses[1])
        self._due = 0.0
        self._pauses = pauses
        self._read_news = read_news
        self._read_events = read_events
        self._read_invalid_keys = read_invalid_keys
        self._channels: dict[UUID, Channel] = {}
        self._keys: Counter[UUID] = Counter()
        self.invalid_keys: Collection[UUID] = ()
        self._requested: set[UUID] = set()
        self._woken = Signal()
        self._generation = 0
        self._updated = Signal()

    @property
    def idle(self) -> bool:
        """True if nobody watches a job."""
        return not self._channels

    @property
    def watchers(self) -> int:
        """The number of clients that watch."""
        return sum(channel.watchers for channel in list(self._channels.values()))

    def wake(self, job_id: UUID) -> None:
        """Read a job soon, because it may have news. Does nothing for a job that nobody watches."""
        if job_id in self._channels:
            self._requested.add(job_id)
            self._woken.notify()

    def wake_all(self) -> None:
        """Read all watched jobs soon."""
        for job_id in self._channels:
            self.wake(job_id)

    def close(self) -> None:
        """End all watches at once."""
        self.closed = True
        self._updated.notify()
        self._notify_watchers()

    @asynccontextmanager
    async def watch(self, job_id: UUID, *, after: int, key: UUID | None = None) -> AsyncIterator["Watch"]:
        """Watch a job: its events after number ``after``, each as soon as it is known.

        The events end after the last one of a job that has ended, when the job is deleted, and when the hub is closed.
        Waiting holds neither a thread nor a database connection.

        Parameters:
          key: The id of the client's API key: the events also end soon after it is revoked or has expired.
        """
        channel = self._channels.setdefault(job_id, Channel())
        channel.watchers += 1
        self.wake(job_id)
        if key is not None:
            self._keys[key] += 1
        try:
            yield Watch(self, job_id, channel, after, key, first_generation=self._generation + 1)
        finally:
            channel.watchers -= 1
            if not channel.watchers:
                del self._channels[job_id]
            if key is not None:
                self._keys[key] -= 1
                if not self._keys[key]:
                    del self._keys[key]

    async def run(self) -> None:
        """Read when woken and every ``poll_seconds``, for ever."""
        self.closed = False
        await keep_on_async(self.turns, self._read_when_due)

    async def _read_when_due(self) -> None:
        await self._wait_until(self._due if self._channels else float("inf"))
        # If this reading fails, the next one is of all jobs, and at once: every watcher waits for it.
        due, self._due = self._due, 0.0
        if anyio.current_time() >= due:
            self._requested.update(self._channels)
            due = anyio.current_time() + self.poll_seconds
            await self._check_keys()
        await self._update_channels()
        self._due = due

    async def _wait_until(self, due: float) -> None:
        """Wait until woken, at the latest until ``due`` on the event loop's clock."""
        with anyio.move_on_after(due - anyio.current_time()):
            while not self._requested:
                await self._woken.wait()
            await anyio.sleep(_GATHER_SECONDS)

    async def _update_channels(self) -> None:
        known = {job_id: self._channels[job_id].seq for job_id in self._requested if job_id in self._channels}
        self._requested.clear()
        self._generation += 1
        if not known:
            return
        found = await self._read_news(known, KEPT)
        for job_id in known:
            if channel := self._channels.get(job_id):
                channel.update(found.get(job_id), self._generation)
        self._updated.notify()

    async def _check_keys(self) -> None:
        self.invalid_keys = await self._read_invalid_keys(tuple(self._keys)) if self._keys else ()
        if self.invalid_keys:
            self._notify_watchers()

    def _notify_watchers(self) -> None:
        for channel in self._channels.values():
            channel.changed.notify()

    async def wait_for_generation(self, channel: Channel, generation: int) -> None:
        """Wait until a channel has the result of this reading or of a later one, or until the hub is closed."""
        while channel.generation < generation and not self.closed:
            await self._updated.wait()

    async def read_page(self, job_id: UUID, after: int) -> Sequence[EventRecord]:
        """Read a page of events after number ``after`` from the database, trying until it answers; none when closed."""
        pause = Backoff(*self._pauses)
        while not self.closed:
            try:
                return await self._read_events(job_id, after, KEPT)
            except Unavailable:
                await anyio.sleep(pause.next())
        return ()


class Watch:
    """Iterates over the events of one job for one client, once.

    Parameters:
      first_generation: The first reading that began after the client came. An older one may not know yet that a job
        which had ended was started again.
    """

    def __init__(
        self, hub: Hub, job_id: UUID, channel: Channel, after: int, key: UUID | None, *, first_generation: int
    ) -> None:
        self._hub = hub
        self._job_id = job_id
        self._channel = channel
        self._after = after
        self._key = key
        self._first_generation = first_generation
        self._ready: deque[EventRecord] = deque()

    @property
    def gone(self) -> bool:
        """True if the job was deleted."""
        return self._channel.gone

    @property
    def key_invalid(self) -> bool:
        """True if the client's key was revoked or has expired."""
        return self._key in self._hub.invalid_keys

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> EventRecord:
        await self._hub.wait_for_generation(self._channel, self._first_generation)
        while not (self._hub.closed or self.gone or self.key_invalid):
            if self._ready:
                event = self._ready.popleft()
                self._after = event.seq
                return event
            newest = self._channel.seq
            if self._after < newest:
                self._ready.extend(await self._next_events(newest))
            elif self._channel.ended:
                break
            else:
                await self._channel.changed.wait()
        raise StopAsyncIteration

    async def _next_events(self, newest: int) -> Sequence[EventRecord]:
        events = self._channel.events_after(self._after)
        if events is None:
            events = await self._hub.read_page(self._job_id, self._after)
        if not events:
            # They were deleted together with the job's files.
            self._after = newest
        return events


def hub_of(connection: HTTPConnection) -> Hub:
    """Return the hub of the app that serves a request."""
    hub: Hub = connection.app.state.hub
    return hub
