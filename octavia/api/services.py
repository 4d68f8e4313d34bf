"""What the endpoints work with: database, storage and catalogue, each behind threads of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from octavia.api.http.slow_clients.stopping import Stopping
from octavia.api.live import wakeups
from octavia.api.live.hub import Hub
from octavia.api.resources.forecast import Forecast
from octavia.api.submission.congestion import Congestion
from octavia.brokers.queues import TaskBroker
from octavia.catalog import Catalog, Store
from octavia.jobs.access import keys
from octavia.jobs.status import estimates, watching
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage

if TYPE_CHECKING:
    from octavia.brokers.alarm import AlarmWatch

P = ParamSpec("P")
R = TypeVar("R")

_DATABASE_CONNECTIONS = 10
_STORAGE_THREADS = 32
_CHECK_THREADS = 12
# Nobody minds a quarter of a second before a job begins, but requests mind a relay that takes their processor.
_BETWEEN_PASSES = 0.25


class Services:
    """The API's parts. Those that are not given are made from the settings, and closed with the app.

    Nothing that blocks runs on the event loop. The database has as many threads as connections, so that a slow one
    makes requests wait here, in order, and not time out over a connection.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database | None = None,
        storage: Storage | None = None,
        broker: TaskBroker | None = None,
    ) -> None:
        self.settings = settings
        self.database = database or Database(settings.database, pool_size=_DATABASE_CONNECTIONS // 2)
        self.storage = storage or Storage(settings.storage)
        self.broker = broker
        self.catalog = Catalog.load(settings)
        self.models = Store.of(settings)
        self.congestion = Congestion(most=settings.max_queued_jobs, least=settings.min_free_bytes)
        self.forecast = Forecast(lambda: self.db(estimates.outlook))
        self.live = Hub(
            lambda known, limit: self.db(watching.news, known, limit),
            lambda job_id, seq, limit: self.db(events.since, job_id, seq, limit),
            lambda ids: self.db(keys.lapsed, ids),
        )
        self.stopping = Stopping()
        self._alarm: AlarmWatch | None = None
        self._owns_database = database is None
        self._database_threads = CapacityLimiter(_DATABASE_CONNECTIONS)
        self._storage_threads = CapacityLimiter(_STORAGE_THREADS)
        self._check_threads = CapacityLimiter(_CHECK_THREADS)

    async def db(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function of ``octavia.jobs``, with the database as its first argument, in a thread."""
        return await anyio.to_thread.run_sync(
            partial(function, self.database, *args, **kwargs), limiter=self._database_threads
        )

    async def io(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that reads or writes files in a thread."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._storage_threads)

    async def check(self, function: Callable[[], R], seconds: float) -> R:
        """Call a health check, apart from the threads of requests, for which those may be waiting just now.

        Raises:
          TimeoutError: It took too long; it goes on in its thread.
        """
        with anyio.fail_after(seconds):
            return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=self._check_threads)

    def check_alarm(self) -> None:
        """Ask whether the broker takes messages, if there is one and it answers.

        Raises:
          Unavailable: ``broker_blocked``.
        """
        if self._alarm is not None:
            self._alarm.check()

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """While the app runs, publish what it puts into the outbox; without a broker, the workers fetch it there.

        And tell those who watch jobs what happens to these.
        """
        try:
            async with self._publishing(), self._watching():
                yield
        finally:
            if self._owns_database:
                await self.io(self.database.close)

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.live.run)
            tasks.start_soon(self.forecast.run)
            tasks.start_soon(wakeups.wake, self.live, self.database, self.io)
            try:
                yield
            finally:
                self.live.close()
                tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def _publishing(self) -> AsyncIterator[None]:
        if self.settings.embedded:
            yield
            return
        # Not at the top: an embedded API needs neither pika nor the middleware.
        from octavia.broker import make_broker
        from octavia.brokers.alarm import AlarmWatch
        from octavia.brokers.rabbit import RabbitBroker
        from octavia.brokers.relay import Relay

        broker, owned = self.broker, self.broker is None
        if broker is None:
            broker = self.broker = await self.io(make_broker, self.settings, self.database, self.storage)
        relay = Relay(self.database, broker, between=_BETWEEN_PASSES)
        relay.start()
        if isinstance(broker, RabbitBroker):
            self._alarm = AlarmWatch(broker)
            self._alarm.start()
        try:
            yield
        finally:
            if self._alarm is not None:
                await self.io(self._alarm.stop)
            await self.io(relay.stop)
            if owned:
                await self.io(broker.close)


def services(request: HTTPConnection) -> Services:
    """The parts of the app that got this request."""
    found: Services = request.app.state.services
    return found
