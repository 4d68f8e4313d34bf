"""One reader for all jobs that clients of this process watch, however many those are."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import anyio
import structlog
from starlette.requests import HTTPConnection

from octavia.api.live.channel import KEPT, Channel
from octavia.errors import Unavailable
from octavia.jobs.status.watching import News
from octavia.jobs.tables.records import EventRecord

log = structlog.get_logger()

_POLL_SECONDS: Final = 2.0
"""How long a wake-up that was lost can delay an event."""

_GATHER_SECONDS: Final = 0.01
"""Wake-ups within so long share one reading."""

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0


ReadNews = Callable[[Mapping[UUID, int], int], Awaitable[Mapping[UUID, News]]]
"""As ``octavia.jobs.status.watching.news``."""

ReadSince = Callable[[UUID, int, int], Awaitable[Sequence[EventRecord]]]
"""As ``octavia.jobs.tables.events.since``."""

ReadLapsed = Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]
"""As ``octavia.jobs.access.keys.no_longer_valid``."""


class Hub:
    """Keeps what is new about each watched job, as long as it is watched.

    Something wakes the hub when a job may have news, rightly or not; besides it looks at all watched jobs every two
    seconds. Who watches holds a number, the last event he got, and no queue: whoever is slow is further behind, reads
    in pages what is not kept any more, and costs the same memory.

    Parameters:
      news, since, lapsed: Where it reads; raising ``Unavailable`` they are called again.

    Attributes:
      closed: The process is ending: nothing more comes.
    """

    def __init__(self, news: ReadNews, since: ReadSince, lapsed: ReadLapsed) -> None:
        self.closed = False
        self._news = news
        self._since = since
        self._read_lapsed = lapsed
        self._channels: dict[UUID, Channel] = {}
        self._keys: Counter[UUID] = Counter()
        self._lapsed: Collection[UUID] = ()
        self._wanted: set[UUID] = set()
        self._woken = anyio.Event()
        self._reads = 0
        self._read = anyio.Event()

    @property
    def idle(self) -> bool:
        """Nobody watches anything."""
        return not self._channels

    def wake(self, job_id: UUID) -> None:
        """A job may have news; for one that nobody watches this does nothing."""
        if job_id in self._channels:
            self._wanted.add(job_id)
            self._woken.set()

    def wake_all(self) -> None:
        """Any job may have news."""
        for job_id in self._channels:
            self.wake(job_id)

    def close(self) -> None:
        """End whatever is watched, at once."""
        self.closed = True
        self._notify_read()
        for channel in self._channels.values():
            channel.notify()

    @asynccontextmanager
    async def watch(self, job_id: UUID, *, after: int, key: UUID | None = None) -> AsyncIterator["Watch"]:
        """A job's events after the one with the number ``after``, each as soon as it is there.

        They end when the job has ended and all were given, when it is deleted, and when the hub is closed. No thread
        and no database connection is held meanwhile.

        Parameters:
          key: The API key that the client came with: they also end soon after that is revoked or has expired.
        """
        channel = self._channels.setdefault(job_id, Channel())
        channel.watchers += 1
        self.wake(job_id)
        if key is not None:
            self._keys[key] += 1
        try:
            yield Watch(self, job_id, channel, after, key, needs=self._reads + 1)
        finally:
            channel.watchers -= 1
            if not channel.watchers:
                del self._channels[job_id]
            if key is not None:
                self._keys[key] -= 1
                self._keys += Counter()  # without those at 0

    def lapsed(self, key: UUID | None) -> bool:
        """Whether a key that somebody watches with does not let him any more, as far as is known."""
        return key in self._lapsed

    async def run(self) -> None:
        """Read when woken and every two seconds, for ever."""
        self.closed = False
        pause = _FIRST_PAUSE
        due = anyio.current_time()
        while True:
            await self._until(due if self._channels else float("inf"))
            try:
                if anyio.current_time() >= due:
                    self._wanted.update(self._channels)
                    due = anyio.current_time() + _POLL_SECONDS
                    await self._check_keys()
                await self._read_news()
                pause = _FIRST_PAUSE
            except Exception as error:
                # Whatever it is, the next reading may go well, and everybody waits for it.
                log.warning("live_reading_failed", again_in=pause, reason=getattr(error, "code", repr(error)))
                due = 0.0
                await anyio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _until(self, due: float) -> None:
        with anyio.move_on_after(due - anyio.current_time()):
            await self._woken.wait()
            await anyio.sleep(_GATHER_SECONDS)
        self._woken = anyio.Event()

    async def _read_news(self) -> None:
        known = {job_id: self._channels[job_id].seq for job_id in self._wanted if job_id in self._channels}
        self._wanted.clear()
        self._reads += 1
        if not known:
            return
        found = await self._news(known, KEPT)
        for job_id in known:
            if channel := self._channels.get(job_id):
                channel.take(found.get(job_id), self._reads)
        self._notify_read()

    async def _check_keys(self) -> None:
        self._lapsed = await self._read_lapsed(tuple(self._keys)) if self._keys else ()
        if self._lapsed:
            for channel in self._channels.values():
                channel.notify()

    def _notify_read(self) -> None:
        self._read.set()
        self._read = anyio.Event()

    async def fresh(self, channel: Channel, read: int) -> None:
        """Wait until a channel is from that reading or a later one."""
        while channel.read < read and not self.closed:
            await self._read.wait()

    async def page(self, job_id: UUID, seq: int) -> Sequence[EventRecord]:
        """Events after ``seq`` that are not kept any more, read as soon as that is possible; none when closed."""
        pause = _FIRST_PAUSE
        while not self.closed:
            try:
                return await self._since(job_id, seq, KEPT)
            except Unavailable:
                await anyio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        return ()


class Watch:
    """The events of one job for one client; to be iterated over once.

    Parameters:
      needs: The first reading that was begun after the client came: an older one may not know yet that the job,
        which had ended, was started again.
    """

    def __init__(self, hub: Hub, job_id: UUID, channel: Channel, after: int, key: UUID | None, *, needs: int) -> None:
        self._hub = hub
        self._job_id = job_id
        self._channel = channel
        self._after = after
        self._key = key
        self._needs = needs
        self._ready: deque[EventRecord] = deque()

    @property
    def gone(self) -> bool:
        """Whether the job was deleted."""
        return self._channel.gone

    @property
    def barred(self) -> bool:
        """Whether the client's key was revoked, or has expired."""
        return self._hub.lapsed(self._key)

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> EventRecord:
        await self._hub.fresh(self._channel, self._needs)
        while not (self._hub.closed or self.gone or self.barred):
            if self._ready:
                event = self._ready.popleft()
                self._after = event.seq
                return event
            newest = self._channel.seq
            if self._after < newest:
                self._ready.extend(await self._next(newest))
            elif self._channel.ended:
                break
            else:
                await self._channel.change()
        raise StopAsyncIteration

    async def _next(self, newest: int) -> Sequence[EventRecord]:
        events = self._channel.after(self._after)
        if events is None:
            events = await self._hub.page(self._job_id, self._after)
        if not events:
            # They were deleted with the files of the job.
            self._after = newest
        return events


def hub_of(connection: HTTPConnection) -> Hub:
    """Return the hub of the app that serves a request."""
    hub: Hub = connection.app.state.hub
    return hub
