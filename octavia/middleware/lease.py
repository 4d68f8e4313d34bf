"""Renews the lease of the task in hand, from a thread of its own, however long one piece of work takes."""

import threading
import time

import structlog

from octavia.background import Turns, keep_on
from octavia.jobs.protocol import claims, completion
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Renewal
from octavia.settings import Settings
from octavia.work import Work

logger = structlog.get_logger()


class LeaseKeeper:
    """Renews one task's lease until stopped, and tells the work when the lease is lost or the task no longer wanted.

    Parameters:
      look_seconds: Pause between two looks at whether the task is still wanted; each costs one read.
      stop_seconds: Time for an unwanted task to stop by itself; then its job does not wait for it any longer.
    """

    def __init__(
        self, db: Database, settings: Settings, work: Work, *, look_seconds: float = 1.0, stop_seconds: float = 2.0
    ) -> None:
        self._db = db
        self._settings = settings
        self._work = work
        self._look_seconds = look_seconds
        self._stop_seconds = stop_seconds
        self._stopped = threading.Event()
        self._unwanted_since: float | None = None
        self._due = 0.0
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Start to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing, without waiting for a renewal under way."""
        self._stopped.set()

    def _run(self) -> None:
        every = self._settings.lease_renew_seconds
        self._due = time.monotonic() + every
        # The database may come back before the lease ends; if not, the next renewal finds the lease lost.
        turns = Turns("lease", first=min(self._look_seconds, every), longest=every, task=str(self._work.claim.task_id))
        keep_on(turns, self._look_or_renew, ended=self._stopped.is_set, wait=self._stopped.wait)

    def _look_or_renew(self) -> None:
        every = self._settings.lease_renew_seconds
        if self._stopped.wait(min(self._look_seconds, every)):
            return
        if time.monotonic() < self._due:
            self.look()
        else:
            self._due = time.monotonic() + every
            self.renew()

    def renew(self) -> None:
        """Renew once."""
        claim = self._work.claim
        self._tell(claims.renew(self._db, claim.task_id, claim.attempt, lease=self._settings.lease_seconds))

    def look(self) -> None:
        """Look once whether the task is still wanted."""
        claim = self._work.claim
        self._tell(claims.check(self._db, claim.task_id, claim.attempt))

    def _tell(self, found: Renewal) -> None:
        if not found.alive:
            self._work.lease_lost.set()
        elif found.cancel_requested:
            self._work.canceled.set()
            self._unwanted_since = self._unwanted_since or time.monotonic()
            if time.monotonic() - self._unwanted_since >= self._stop_seconds:
                self._give_up()

    def _give_up(self) -> None:
        """End the task while native code still works on it; its result will not be stored."""
        claim = self._work.claim
        completion.stop_canceled(self._db, claim.task_id, claim.attempt)
        self._work.lease_lost.set()
        logger.info("canceled_before_it_stopped", task=str(claim.task_id))
