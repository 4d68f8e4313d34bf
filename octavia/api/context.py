"""The parts that every endpoint works with: settings, database, files, models and the broker."""

from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import HTTPConnection

from octavia.catalog import Catalog, Store
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage

P = ParamSpec("P")
R = TypeVar("R")

_DATABASE_CONNECTIONS = 10
_STORAGE_THREADS = 32
_CHECK_THREADS = 12


class Context:
    """The parts of one app, with threads for each, because nothing that blocks may run on the event loop.

    The database has as many threads as connections, so that requests wait here in order while it is slow, and do not
    time out waiting for a connection.

    Parameters:
      database, storage: Made from the settings if not given; ``close`` closes only a database that was made here.

    Attributes:
      check_broker: Raises ``Unavailable`` unless the broker answers; None in an embedded service, which has no broker.
      check_seconds: How long a health check may take.
    """

    def __init__(self, settings: Settings, *, database: Database | None = None, storage: Storage | None = None) -> None:
        self.settings = settings
        self.check_seconds = 4.0
        self.database = database or Database.of(settings, pool_size=_DATABASE_CONNECTIONS // 2)
        self.storage = storage or Storage(settings.storage)
        self.catalog = Catalog.load(settings)
        self.models = Store.of(settings)
        self.check_broker: Callable[[], None] | None = None
        self._owns_database = database is None
        self._database_threads = CapacityLimiter(_DATABASE_CONNECTIONS)
        self._storage_threads = CapacityLimiter(_STORAGE_THREADS)
        self._check_threads = CapacityLimiter(_CHECK_THREADS)

    async def db(self, function: Callable[Concatenate[Database, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a thread, with the database as its first argument."""
        return await anyio.to_thread.run_sync(
            partial(function, self.database, *args, **kwargs), limiter=self._database_threads
        )

    async def io(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that reads or writes files in a thread."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._storage_threads)

    async def check(self, function: Callable[[], R]) -> R:
        """Call a health check in a thread of its own, because all threads of requests may be busy.

        Raises ``TimeoutError`` if the check took longer than ``check_seconds``; it continues in its thread.
        """
        with anyio.fail_after(self.check_seconds):
            return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=self._check_threads)

    async def close(self) -> None:
        """Close the database, if it was made here."""
        if self._owns_database:
            await self.io(self.database.close)


def context_of(connection: HTTPConnection) -> Context:
    """Return the context of the app that serves a request."""
    context: Context = connection.app.state.context
    return context
