"""Keeps the lease of the task in hand, from a thread of its own, however long one piece of work takes."""

import threading
import time
from typing import Final

import structlog

from octavia.errors import Unavailable
from octavia.jobs.protocol import claims, completion
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Renewal
from octavia.settings import Settings
from octavia.work import Work

_LOOK_SECONDS: Final = 1.0
"""How often it is asked whether anybody still wants the task; between two renewals it costs one read."""

_STOP_SECONDS: Final = 2.0
"""For so long a task that nobody wants may go on with the piece in hand; then its job need not wait for it."""

logger = structlog.get_logger()


class LeaseKeeper:
    """Renews one task's lease until stopped, and tells the work when it was lost or is no longer wanted."""

    def __init__(self, db: Database, settings: Settings, work: Work) -> None:
        self._db = db
        self._settings = settings
        self._work = work
        self._stopped = threading.Event()
        self._unwanted_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Renew from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; does not wait for a renewal that is under way."""
        self._stopped.set()

    def _run(self) -> None:
        every = self._settings.lease_renew_seconds
        due = time.monotonic() + every
        while not self._stopped.wait(min(_LOOK_SECONDS, every)):
            try:
                if time.monotonic() < due:
                    self.look()
                else:
                    due = time.monotonic() + every
                    self.renew()
            except Unavailable as error:
                # It may come back before the lease ends; if not, the next renewal says so.
                logger.warning("lease_not_renewed", task=str(self._work.claim.task_id), detail=str(error))
            except Exception:
                logger.exception("lease_not_renewed", task=str(self._work.claim.task_id))

    def renew(self) -> None:
        """Renew once."""
        claim = self._work.claim
        self._tell(claims.renew(self._db, claim.task_id, claim.attempt, lease=self._settings.lease_seconds))

    def look(self) -> None:
        """Ask once whether the task is still wanted."""
        claim = self._work.claim
        self._tell(claims.check(self._db, claim.task_id, claim.attempt))

    def _tell(self, found: Renewal) -> None:
        work = self._work
        if not found.alive:
            work.lease_lost.set()
        elif found.cancel_requested:
            work.canceled.set()
            self._unwanted_since = self._unwanted_since or time.monotonic()
            if time.monotonic() - self._unwanted_since >= _STOP_SECONDS:
                self._give_up()

    def _give_up(self) -> None:
        """End the task while native code still works on it: whatever comes of that is no longer ours to store."""
        claim = self._work.claim
        completion.stop_canceled(self._db, claim.task_id, claim.attempt)
        self._work.lease_lost.set()
        logger.info("canceled_before_it_stopped", task=str(claim.task_id))
