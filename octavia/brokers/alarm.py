"""Watches for RabbitMQ's alarms: short of memory or disk, it takes no messages until it has room again."""

import threading
from typing import Any, Final

import pika
import structlog

from octavia.brokers.connections import LOST
from octavia.brokers.rabbit import RabbitBroker, blocked

_TICK: Final = 1.0
_AGAIN: Final = 2.0

logger = structlog.get_logger()


class AlarmWatch:
    """Listens for alarms in a thread of its own, on a connection of its own.

    RabbitMQ tells only connections that publish, and one that waits for a confirmation does not read it. So this one
    publishes a message to no queue once a second, waits for no confirmation, and listens.

    Attributes:
      reason: The resource that RabbitMQ is short of; None: no alarm, or it does not answer at all.
    """

    def __init__(self, broker: RabbitBroker) -> None:
        # This connection must hear of the end of an alarm, however long it lasts.
        self._parameters = broker.parameters
        for parameters in self._parameters:
            parameters.blocked_connection_timeout = None
        self._nobody = f"{broker.names.prefix}.nobody"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
        self.reason: str | None = None

    def start(self) -> None:
        """Start to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join(2 * _TICK)

    def check(self) -> None:
        """Raise ``Unavailable`` (``broker_blocked``) while there is an alarm."""
        if (reason := self.reason) is not None:
            raise blocked(reason)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except LOST as error:
                logger.info("alarms_not_heard", reason=str(error) or type(error).__name__, again_in=_AGAIN)
            except Exception:
                logger.exception("alarms_not_heard")
            self.reason = None
            self._stopping.wait(_AGAIN)

    def _listen(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        connection.add_on_connection_blocked_callback(self._begun)
        connection.add_on_connection_unblocked_callback(self._over)
        channel = connection.channel()
        while not self._stopping.is_set():
            if self.reason is None:
                channel.basic_publish("", self._nobody, b"")
            connection.process_data_events(_TICK)
        # A blocked connection would wait for an answer.
        if self.reason is None:
            connection.close()

    def _begun(self, _connection: object, frame: Any) -> None:
        self.reason = str(frame.method.reason)
        logger.warning("broker_blocked", reason=self.reason)

    def _over(self, _connection: object, _frame: object) -> None:
        self.reason = None
        logger.info("broker_unblocked")
