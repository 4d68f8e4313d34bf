"""The courier: leases due webhooks from the database and delivers them, many at once, each within 10 seconds."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar

import anyio
import anyio.to_thread
import httpx
import structlog
from anyio import CapacityLimiter
from anyio.abc import TaskGroup

from octavia import compact_json, outbound, signing
from octavia.background import Turns, keep_on, keep_on_async
from octavia.backoff import Backoff
from octavia.errors import Unavailable
from octavia.jobs.access import webhooks
from octavia.jobs.access.webhooks import LeasedDelivery, Outcome, Verdict
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import DeliveryStatus
from octavia.metrics.declared import WEBHOOK_DELIVERIES
from octavia.settings import Settings

R = TypeVar("R")

_AT_ONCE: Final = 20
_POST_SECONDS: Final = 10.0
# To store the outcome, also when the database is away for a moment. A lease lasts that much longer than an attempt.
_RECORD_SECONDS: Final = 20.0
_LONGEST_PAUSE: Final = 10.0
_OUTCOMES: Final = {
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.PENDING: "retrying",
    DeliveryStatus.FAILED: "failed",
    None: "lost",
}

logger = structlog.get_logger()


class Courier:
    """A thread that delivers due webhooks. Several may work on one database, here and on other machines.

    Parameters:
      poll: Seconds between two looks for due webhooks.
      post_seconds: Time limit of one attempt.
      first_pause: Seconds before going on after a first failure; the pause then grows.
    """

    def __init__(
        self,
        settings: Settings,
        db: Database,
        *,
        poll: float = 1.0,
        post_seconds: float = _POST_SECONDS,
        first_pause: float = 0.5,
    ) -> None:
        self._settings = settings
        self._db = db
        self._poll = poll
        self._post_seconds = post_seconds
        self._pauses = partial(Backoff, first_pause, _LONGEST_PAUSE)
        self.turns = Turns("courier", first=first_pause, longest=_LONGEST_PAUSE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Start to deliver."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop. Webhooks under way are delivered again when their leases end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        keep_on(self.turns, lambda: anyio.run(self._main), ended=self._stopping.is_set, wait=self._stopping.wait)

    async def _main(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(keep_on_async, self.turns, self._work)
            await anyio.to_thread.run_sync(self._stopping.wait, limiter=CapacityLimiter(1))
            group.cancel_scope.cancel()

    async def _work(self) -> None:
        # Threads for calls of the database.
        self._threads = CapacityLimiter(2)
        self._free = _AT_ONCE
        timeout = httpx.Timeout(self._post_seconds)
        async with outbound.client(self._settings, timeout=timeout) as client, anyio.create_task_group() as group:
            # Deliveries under way go on while this fails.
            await keep_on_async(self.turns, partial(self._begin_due, client, group))

    async def _begin_due(self, client: httpx.AsyncClient, group: TaskGroup) -> None:
        limit, seconds = self._free, self._post_seconds + _RECORD_SECONDS
        found = await self._in_thread(lambda: webhooks.lease(self._db, limit=limit, seconds=seconds)) if limit else []
        for leased in found:
            self._free -= 1
            group.start_soon(self._deliver, client, leased)
        if len(found) < _AT_ONCE:
            await anyio.sleep(self._poll)

    async def _deliver(self, client: httpx.AsyncClient, leased: LeasedDelivery) -> None:
        try:
            await self._record(leased, await self._attempt(client, leased))
        except Exception:
            # It is delivered again when its lease ends.
            logger.exception("webhook_failed", delivery=str(leased.id), job_id=str(leased.job_id))
        finally:
            self._free += 1

    async def _attempt(self, client: httpx.AsyncClient, leased: LeasedDelivery) -> Outcome:
        try:
            secret = leased.secret or self._settings.webhook_secret
            return await post(client, leased.below(self._settings.root_path), secret, seconds=self._post_seconds)
        except Exception:
            # Left to its lease it would be tried again for ever.
            logger.exception("webhook_failed", delivery=str(leased.id), job_id=str(leased.job_id))
            return Outcome(Verdict.TRY_AGAIN, error="It could not be sent; the courier's log says why.")

    async def _record(self, leased: LeasedDelivery, outcome: Outcome) -> None:
        pauses = self._pauses()
        with anyio.move_on_after(_RECORD_SECONDS):
            while True:
                try:
                    status = await self._in_thread(lambda: webhooks.record(self._db, leased, outcome))
                except Unavailable as error:
                    pause = pauses.next()
                    logger.warning("courier_waiting", reason=error.code, detail=str(error), again_in=pause)
                    await anyio.sleep(pause)
                    continue
                WEBHOOK_DELIVERIES.add(outcome=_OUTCOMES[status])
                logger.info(
                    "webhook_sent",
                    delivery=str(leased.id),
                    job_id=str(leased.job_id),
                    attempt=leased.attempt,
                    answer=outcome.status,
                    outcome=status.value if status else "lease_lost",
                )
                return

    async def _in_thread(self, call: Callable[[], R]) -> R:
        return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._threads)


async def post(
    client: httpx.AsyncClient, leased: LeasedDelivery, secret: str, *, seconds: float = _POST_SECONDS
) -> Outcome:
    """Make one attempt at a delivery; failures are returned, not raised.

    Parameters:
      secret: The secret to sign with, as ``signing.check_secret`` describes it.
      seconds: Time limit.
    """
    if not secret:
        error = "There is no secret to sign it with: OCTAVIA_WEBHOOK_SECRET is not set for this courier."
        return Outcome(Verdict.TRY_AGAIN, error=error)
    body = compact_json.dumps(leased.payload).encode()
    headers = {"content-type": "application/json", **signing.headers(secret, f"msg_{leased.id}", leased.at, body)}
    try:
        with anyio.fail_after(seconds), outbound.failures(leased.url):
            # Only status and headers matter: the body is not read.
            async with client.stream("POST", leased.url, content=body, headers=headers) as response:
                answered = response.headers
                return outcome_of(response.status_code, answered.get("retry-after", ""), answered.get("date", ""))
    except TimeoutError:
        return Outcome(Verdict.TRY_AGAIN, error=f"The receiver did not answer within {seconds:.0f} s.")
    except (outbound.UrlNotAllowed, outbound.UrlUnreachable) as error:
        # Nothing is sent to an address that is not allowed. It may be another one later, or be allowed.
        return Outcome(Verdict.TRY_AGAIN, error=error.message)


def outcome_of(status: int, retry_after: str, date: str = "") -> Outcome:
    """The outcome that a receiver's answer means, by its status and two of its headers.

    Any answer but success and 410 may be that of a receiver in trouble: its key has expired, its route is not deployed
    yet, its proxy sends everybody to a page to log in.
    """
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, status)
    if status == HTTPStatus.GONE:
        return Outcome(Verdict.GONE, status, "The receiver is gone for good (410).")
    error = f"The receiver answered {status}."
    if 300 <= status < 400:
        error = f"The receiver redirects ({status}), which is not followed; name the final address."
    return Outcome(Verdict.TRY_AGAIN, status, error, _seconds(retry_after, date))


def _seconds(retry_after: str, date: str) -> float:
    """A Retry-After header in seconds from now; 0 if there is none, or none that can be read."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    until = _moment(retry_after)
    if until is None:
        return 0.0
    # A date is by the receiver's clock, which its Date header shows.
    return max(0.0, (until - (_moment(date) or datetime.now(UTC))).total_seconds())


def _moment(header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)
