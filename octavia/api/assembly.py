"""Builds the API's parts for its endpoints, and runs those that work in the background.

Each of these goes on after its errors (``octavia.background``), so none takes the others along.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from starlette.applications import Starlette

from octavia.api.context import Context
from octavia.api.http.slow_clients.stopping import Stopping
from octavia.api.live import wakeups
from octavia.api.live.hub import Hub
from octavia.api.live.latest import Latest
from octavia.api.operator.broker_figures import BrokerFigures
from octavia.api.operator.overview import read_overview
from octavia.api.resources.forecast import Forecast
from octavia.api.resources.served_queues import ServedQueues
from octavia.api.submission.room import Congestion
from octavia.background import Turns
from octavia.brokers.queues import TaskBroker
from octavia.jobs.access import keys
from octavia.jobs.status import estimates, watching, workers
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.storage import Space, Storage

_BETWEEN_PASSES = 0.25
"""Seconds between two passes of the relay: short for a job that begins, long enough to leave time for requests."""

_PARTS = (
    *("context", "congestion", "forecast", "hub", "served_queues", "stopping", "background"),
    *("broker_figures", "overviews"),
)


class Assembly:
    """The API's parts. Parts that are not given are made from the settings, and closed with the app.

    Attributes:
      background: The background work without which the API must not take jobs. Without the forecast it gives no
        estimates, and without wake-ups events come a little later.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database | None = None,
        storage: Storage | None = None,
        broker: TaskBroker | None = None,
    ) -> None:
        self.context = context = Context(settings, database=database, storage=storage)
        space = Space(context.storage.free, settings.min_free_bytes)
        self.congestion = Congestion(max_queued=settings.max_queued_jobs, space=space)
        self.forecast = Forecast(lambda: context.db(estimates.outlook))
        self.hub = Hub(
            lambda known, limit: context.db(watching.news, known, limit),
            lambda job_id, seq, limit: context.db(events.since, job_id, seq, limit),
            lambda ids: context.db(keys.no_longer_valid, ids),
        )
        self.served_queues = ServedQueues(
            [Queue(name) for name in settings.ready_queues],
            lambda: context.check(partial(workers.count_by_queue, context.database, settings.patience)),
            grace_seconds=settings.patience.total_seconds(),
        )
        self.broker_figures = BrokerFigures(settings)
        self.overviews = Latest(self._overview, lambda ids: context.db(keys.no_longer_valid, ids))
        self.stopping = Stopping()
        self.background = [self.hub.turns]
        self._wakeups = Turns("live_wakeups")
        self.context.check_broker = None if broker is None else broker.check
        self._broker = broker
        self._owns_broker = broker is None

    def install(self, app: Starlette) -> None:
        """Store each part in the app's state under its name, where endpoints find it."""
        for name in _PARTS:
            setattr(app.state, name, getattr(self, name))

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """While the app runs, publish the messages in its outbox and send news to clients that watch jobs.

        Without a broker the workers fetch messages from the outbox themselves.
        """
        try:
            async with self._publishing(), self._watching():
                yield
        finally:
            await self.context.close()

    async def _overview(self, owner: str | None) -> str:
        return (await read_overview(self.context, self.broker_figures, owner)).model_dump_json()

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.hub.run)
            tasks.start_soon(self.overviews.run)
            tasks.start_soon(self.forecast.run)
            tasks.start_soon(wakeups.wake, self.hub, self.context.database, self.context.io, self._wakeups)
            try:
                yield
            finally:
                self.hub.close()
                self.overviews.close()
                tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def _publishing(self) -> AsyncIterator[None]:
        context = self.context
        if context.settings.embedded:
            yield
            return
        # Not at the top: an embedded API needs neither pika nor the middleware.
        from octavia.broker import make_broker
        from octavia.brokers.alarm import AlarmWatch
        from octavia.brokers.rabbit import RabbitBroker
        from octavia.brokers.relay import Relay

        broker = self._broker
        if broker is None:
            broker = await context.io(make_broker, context.settings, context.database, context.storage)
        relay = Relay(context.database, broker, between=_BETWEEN_PASSES)
        self.background.append(relay.turns)
        relay.start()
        alarm = AlarmWatch(broker) if isinstance(broker, RabbitBroker) else None
        if alarm is not None:
            self.background.append(alarm.turns)
            self.congestion.check_alarm = alarm.check
            # Its connection tells; a probe must not open another one.
            context.check_broker = alarm.check_answers
            alarm.start()
        try:
            yield
        finally:
            if alarm is not None:
                await context.io(alarm.stop)
            await context.io(relay.stop)
            if self._owns_broker:
                await context.io(broker.close)
