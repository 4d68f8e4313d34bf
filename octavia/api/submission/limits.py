"""Whether another job is taken, asked before anything of it is stored."""

from typing import Final

from starlette.requests import Request

from octavia.api.http.bodies import declared_size
from octavia.api.http.identity import principal
from octavia.api.services import services
from octavia.jobs.access import limits

NO_ROOM: Final = (
    *("too_many_jobs", "queue_full", "broker_blocked"),
    *("storage_full", "storage_refused", "storage_unavailable"),
)
"""Codes of what refuses a job, whether it is asked for beforehand or shows when the job is stored."""


async def check_submission(request: Request) -> None:
    """Refuse a job of a key that has too many in flight, and any that there is no room for.

    Raises:
      TooMany: ``too_many_jobs``.
      OctaviaError: As ``check_capacity``.
    """
    parts, client = services(request), principal(request)
    await check_capacity(request)
    if client.key is not None and client.jobs_in_flight:
        await parts.db(limits.check_jobs, client.key.id, client.jobs_in_flight)


async def check_capacity(request: Request) -> None:
    """Refuse any job that there is no room for; one that is there already does not count among its key's a second time.

    A broker that is away refuses nothing: jobs wait for it in the outbox, as many as may wait. One with an alarm says
    that the deployment has too much to do as it is.

    Raises:
      Unavailable: ``broker_blocked`` or ``queue_full``.
      StorageFull: ``storage_full``.
    """
    parts = services(request)
    parts.check_alarm()
    await parts.congestion.check_room(lambda: parts.io(parts.storage.free), declared_size(request))
    await parts.congestion.check_queue(lambda most: parts.db(limits.queued_jobs, most))
