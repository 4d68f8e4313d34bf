"""Skips periodic work that was scheduled too long ago: it is scheduled again soon."""

from datetime import UTC, datetime

import structlog
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import SkipMessage

from octavia.jobs.tables.database import Database, clock
from octavia.middleware.process import Process

SCHEDULED_AT = "scheduled_at"
"""The option of a message with the time it was scheduled at, by the database's clock."""

logger = structlog.get_logger()


class SkipLate(Middleware):
    """Replaces periodiq's own middleware, which compares the clocks of two machines: a wrong clock would stop all work.

    Parameters:
      after: Seconds after which work is late.
    """

    def __init__(self, db: Database, process: Process, *, after: float) -> None:
        self._db = db
        self._process = process
        self._after = after

    @property
    def actor_options(self) -> set[str]:
        """The option of an actor that periodiq's scheduler reads."""
        return {"periodic"}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Skip the message (raise ``SkipMessage``) if it is late, or its time cannot be read."""
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
