"""Wakes the hub after PostgreSQL's notifications or commits to a SQLite file; the hub polls in case one is missed.

Through a pooler that shares connections by transaction no notification arrives, so there the hub is woken all the time.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import structlog

from octavia.api.live.hub import Hub
from octavia.background import Turns, keep_on_async
from octavia.errors import Unavailable
from octavia.jobs.status import watching
from octavia.jobs.tables.database import Database

IO = Callable[..., Awaitable[Any]]

_SQLITE_POLL_SECONDS: Final = 0.2
"""Interval at which to look for commits to a SQLite file while anybody watches a job."""

_POLL_SECONDS: Final = 0.5
"""Interval at which to read watched jobs where PostgreSQL cannot notify."""

log = structlog.get_logger()


async def wake(hub: Hub, database: Database, io: IO, turns: Turns) -> None:
    """Wake a hub whenever jobs may have news, for ever, over one connection that is reopened after a failure.

    Meanwhile events still arrive: the hub polls.

    Parameters:
      io: Calls a blocking function in a thread, as ``Context.io`` does.
    """

    async def over_one_connection() -> None:
        if database.url.get_backend_name() == "sqlite":
            await _poll_file(hub, database, io)
        elif await io(watching.can_listen, database):
            log.info("live_updates", by="notify")
            await _listen(hub, database)
        else:
            log.info("live_updates", by="polling", seconds=_POLL_SECONDS)
            await _poll(hub)
        raise Unavailable("The connection ended.", code="database_unavailable")

    await keep_on_async(turns, over_one_connection)


async def _listen(hub: Hub, database: Database) -> None:
    async with watching.listening(database) as jobs:
        # Changes before now were not notified.
        hub.wake_all()
        async for job_id in jobs:
            hub.wake(job_id)


async def _poll(hub: Hub) -> None:
    while True:
        await anyio.sleep(_POLL_SECONDS)
        hub.wake_all()


async def _poll_file(hub: Hub, database: Database, io: IO) -> None:
    changes = await io(watching.FileChanges, database)
    try:
        while True:
            await anyio.sleep(_SQLITE_POLL_SECONDS)
            if not hub.idle and await io(changes.look):
                hub.wake_all()
    finally:
        changes.close()
