"""Keeps a supervisor informed about pauses: one small query a second, from a thread of its own."""

import threading
from collections.abc import Sequence

from octavia.background import Turns, keep_on
from octavia.jobs.tables import pauses
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.pauses import PauseRecord


class PauseWatch:
    """The thread that does this. While the database is away, what was read last stays in force.

    Parameters:
      every: Seconds from one look to the next.

    Attributes:
      pauses: Those in force, as far as is known.
    """

    def __init__(self, db: Database, *, every: float = 1.0) -> None:
        self._db = db
        self._every = every
        self._stopping = threading.Event()
        self._turns = Turns("pauses", first=every, longest=every)
        self._thread = threading.Thread(target=self._run, name="pauses", daemon=True)
        self.pauses: Sequence[PauseRecord] = ()

    def start(self) -> None:
        """Look once, and go on looking. Raises ``Unavailable`` if the database does not answer."""
        self._look()
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        keep_on(self._turns, self._wait_and_look, ended=self._stopping.is_set, wait=self._stopping.wait)

    def _wait_and_look(self) -> None:
        if not self._stopping.wait(self._every):
            self._look()

    def _look(self) -> None:
        self.pauses = pauses.list_pauses(self._db)
