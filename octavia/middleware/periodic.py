"""Periodic work that was asked for too long ago is left out: it is asked for again soon."""

from datetime import UTC, datetime

import structlog
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import SkipMessage

from octavia.jobs.tables.database import Database, clock
from octavia.middleware.process import Process

SCHEDULED_AT = "scheduled_at"
"""The option of a message that says when it was asked for, by the database's clock."""

logger = structlog.get_logger()


class SkipLate(Middleware):
    """In the place of periodiq's own, which compares the clocks of two machines: one that is off would do nothing more.

    Parameters:
      after: Seconds.
    """

    def __init__(self, db: Database, process: Process, *, after: float) -> None:
        self._db = db
        self._process = process
        self._after = after

    @property
    def actor_options(self) -> set[str]:
        """What periodiq's scheduler reads off an actor."""
        return {"periodic"}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Look how late it is.

        Raises:
          SkipMessage: Too late, or nobody knows.
        """
        if SCHEDULED_AT not in message.options:
            return
        asked = _moment(message.options[SCHEDULED_AT])
        moment = self._process.patiently("look how late it is", lambda: clock(self._db))
        if asked is None or (moment - asked).total_seconds() > self._after:
            logger.warning("skipped_as_late", actor=message.actor_name)
            raise SkipMessage("too late")


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)
