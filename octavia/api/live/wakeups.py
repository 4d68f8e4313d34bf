"""Wakes the hub after PostgreSQL's notifications or commits to a SQLite file; the hub polls in case one is missed.

Through a pooler that shares connections by transaction no notification arrives, so there the hub is woken all the time.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import structlog

from octavia.api.live.hub import Hub
from octavia.backoff import Backoff
from octavia.jobs.status import watching
from octavia.jobs.tables.database import Database

log = structlog.get_logger()

IO = Callable[..., Awaitable[Any]]

_SQLITE_POLL_SECONDS: Final = 0.2
"""Interval at which to look for commits to a SQLite file while anybody watches a job."""

_POLL_SECONDS: Final = 0.5
"""Interval at which to read watched jobs where PostgreSQL cannot notify."""

_LONGEST_PAUSE: Final = 30.0


async def wake(hub: Hub, database: Database, io: IO) -> None:
    """Wake a hub whenever jobs may have news, for ever, over one connection that is reopened after a failure.

    Parameters:
      io: Calls a blocking function in a thread, as ``Context.io`` does.
    """
    pause = Backoff(0.5, _LONGEST_PAUSE)
    while True:
        began, reason = anyio.current_time(), "the connection ended"
        try:
            if database.url.get_backend_name() == "sqlite":
                await _poll_file(hub, database, io)
            elif await io(watching.can_listen, database):
                log.info("live_updates", by="notify")
                await _listen(hub, database)
            else:
                log.info("live_updates", by="polling", seconds=_POLL_SECONDS)
                await _poll(hub)
        except Exception as error:
            # Whatever it is, events still arrive: the hub polls.
            reason = str(error)
        if anyio.current_time() - began > _LONGEST_PAUSE:
            pause.reset()
        seconds = pause.next()
        log.warning("live_wakeups_broke_off", again_in=seconds, reason=reason)
        await anyio.sleep(seconds)


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
