"""What wakes a hub: notices of PostgreSQL, or commits to a SQLite file. Both get lost; the hub looks for itself too."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import structlog

from octavia.api.live.hub import Hub
from octavia.jobs.status import watching
from octavia.jobs.tables.database import Database

log = structlog.get_logger()

IO = Callable[..., Awaitable[Any]]

_LOOK_SECONDS: Final = 0.2
"""How often a SQLite file is looked at while anybody watches a job."""

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


async def wake(hub: Hub, database: Database, io: IO) -> None:
    """Wake a hub whenever jobs have news, for ever, over one connection that is opened again when it breaks off.

    Parameters:
      io: Calls a function in a thread.
    """
    pause = _FIRST_PAUSE
    while True:
        began = anyio.current_time()
        try:
            if database.url.get_backend_name() == "sqlite":
                await _look(hub, database, io)
            else:
                await _listen(hub, database)
        except Exception as error:
            # Whatever it is, events still arrive: the hub looks every two seconds.
            log.warning("live_wakeups_broke_off", again_in=pause, reason=str(error))
        if anyio.current_time() - began > _LONGEST_PAUSE:
            pause = _FIRST_PAUSE
        await anyio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _listen(hub: Hub, database: Database) -> None:
    async with watching.listening(database) as jobs:
        # Of what happened while nobody listened there was no notice.
        hub.wake_all()
        async for job_id in jobs:
            hub.wake(job_id)


async def _look(hub: Hub, database: Database, io: IO) -> None:
    changes = await io(watching.FileChanges, database)
    try:
        while True:
            await anyio.sleep(_LOOK_SECONDS)
            if not hub.idle and await io(changes.look):
                hub.wake_all()
    finally:
        changes.close()
