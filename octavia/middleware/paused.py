"""Gives messages of paused queues back, for workers that may take them; see ``brokers.gate``."""

from typing import NoReturn

import structlog
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import SkipMessage

from octavia.brokers.queues import Delivery, TaskBroker

_PAUSE = 2.0

logger = structlog.get_logger()


class Paused(Middleware):
    """Begins no message that arrived just before its queue was paused."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Give the message back, and skip it (raise ``SkipMessage``), if its queue is held."""
        assert isinstance(broker, TaskBroker)
        assert isinstance(message, Delivery)
        if broker.gate.holds(message.source):
            give_back(message)


def hold_and_give_back(broker: Broker, message: Delivery) -> NoReturn:
    """Give back a message whose claim was refused. Raises ``SkipMessage``.

    The supervisor will say so soon. Until then its queue is held, lest the message come and go all the time.
    """
    assert isinstance(broker, TaskBroker)
    broker.gate.hold_for(message.source, _PAUSE)
    give_back(message)


def give_back(message: Delivery) -> NoReturn:
    """Return a message that was not begun to its queue. Raises ``SkipMessage``."""
    message.returned = True
    logger.info("message_given_back", queue=message.source.value, message_id=message.message_id)
    raise SkipMessage("its queue is paused")
