"""Keeps the lease of the task in hand, from a thread of its own, however long one piece of work takes."""

import threading

import structlog

from octavia.errors import Unavailable
from octavia.jobs import claims
from octavia.jobs.database import Database
from octavia.settings import Settings
from octavia.work import Work

logger = structlog.get_logger()


class LeaseKeeper:
    """Renews one task's lease until stopped, and tells the work when it was lost or is no longer wanted."""

    def __init__(self, db: Database, settings: Settings, work: Work) -> None:
        self._db = db
        self._settings = settings
        self._work = work
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Renew from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; does not wait for a renewal that is under way."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._settings.lease_renew_seconds):
            try:
                self.renew()
            except Unavailable as error:
                # It may come back before the lease ends; if not, the next renewal says so.
                logger.warning("lease_not_renewed", task=str(self._work.claim.task_id), detail=str(error))
            except Exception:
                logger.exception("lease_not_renewed", task=str(self._work.claim.task_id))

    def renew(self) -> None:
        """Renew once."""
        claim = self._work.claim
        renewal = claims.renew(self._db, claim.task_id, claim.attempt, lease=self._settings.lease_seconds)
        if not renewal.alive:
            self._work.lease_lost.set()
        elif renewal.cancel_requested:
            self._work.canceled.set()
