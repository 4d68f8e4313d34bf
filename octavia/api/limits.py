"""Whether another job is taken, asked before anything of it is stored."""

from starlette.requests import Request

from octavia.api.identity import principal
from octavia.api.services import services
from octavia.jobs import limits


async def check_submission(request: Request) -> None:
    """Refuse a job of a key that has too many in flight, and any while too many wait.

    Raises:
      TooMany: ``too_many_jobs``.
      Unavailable: ``queue_full``.
    """
    parts, client = services(request), principal(request)
    await check_queue(request)
    if client.key is not None and client.jobs_in_flight:
        await parts.db(limits.check_jobs, client.key.id, client.jobs_in_flight)


async def check_queue(request: Request) -> None:
    """Refuse any job while too many wait; one that is there already does not count among its key's a second time.

    Raises:
      Unavailable: ``queue_full``.
    """
    parts = services(request)
    await parts.congestion.check(lambda most: parts.db(limits.queued_jobs, most))
