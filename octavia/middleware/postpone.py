"""Puts off messages that this release does not understand, until a newer worker takes them."""

import structlog
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import SkipMessage

from octavia.brokers.queues import Delivery
from octavia.jobs.protocol import messages, outbox
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Priority
from octavia.middleware.process import Process

_DELAY = 30.0

logger = structlog.get_logger()


class Postpone(Middleware):
    """Puts messages of unknown actors and of newer formats back into the outbox; they never become dead letters."""

    def __init__(self, db: Database, process: Process) -> None:
        self._db = db
        self._process = process

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Put the message back, and skip it (raise ``SkipMessage``), if this release does not understand it."""
        assert isinstance(message, Delivery)
        if message.actor_name in broker.actors and not messages.is_newer(message.message):
            return
        put_back(self._db, self._process, message)
        raise SkipMessage("not for this release")


def put_back(db: Database, process: Process, message: Delivery) -> None:
    """Have a message delivered again in half a minute, to this worker or another one."""
    source = message.source
    body = message.message.copy(queue_name=source.value).encode()
    priority = message.options.get("broker_priority") or Priority.NORMAL.level
    logger.warning("message_postponed", actor=message.actor_name, queue=source.value, seconds=_DELAY)
    try:
        process.patiently("postpone", lambda: outbox.postpone(db, body, source, priority, _DELAY))
    except Exception:
        # The task of the message is also in the database, and will be published again.
        logger.exception("postpone_failed", message_id=message.message_id)
