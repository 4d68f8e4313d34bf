"""Whether RabbitMQ has raised an alarm: short of memory or disk, it takes no messages until it has room again."""

import threading
from copy import deepcopy
from typing import Any, Final

import pika
import structlog

from octavia.brokers.rabbit import LOST, RabbitBroker, blocked

_TICK: Final = 1.0
_AGAIN: Final = 2.0

logger = structlog.get_logger()


class AlarmWatch:
    """Listens for alarms in a thread of its own, on a connection of its own.

    RabbitMQ tells only who publishes, and who waits for a confirmation then does not get to hear it. So this one sends
    a message to nobody once a second, waits for nothing, and listens.

    Attributes:
      reason: What RabbitMQ is short of; None: no alarm, or it does not answer at all, which is another matter.
    """

    def __init__(self, broker: RabbitBroker) -> None:
        # However long an alarm lasts, this connection is to hear of its end.
        self._parameters = [_unbounded(parameters) for parameters in broker.parameters]
        self._nobody = f"{broker.names.prefix}.nobody"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
        self.reason: str | None = None

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        self._thread.join(2 * _TICK)

    def check(self) -> None:
        """Ask whether messages are taken, as far as is known.

        Raises:
          Unavailable: ``broker_blocked``.
        """
        reason = self.reason
        if reason is not None:
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
        # While it is blocked nobody would answer.
        if self.reason is None:
            connection.close()

    def _begun(self, _connection: object, frame: Any) -> None:
        self.reason = str(frame.method.reason)
        logger.warning("broker_blocked", reason=self.reason)

    def _over(self, _connection: object, _frame: object) -> None:
        self.reason = None
        logger.info("broker_unblocked")


def _unbounded(parameters: Any) -> Any:
    copy = deepcopy(parameters)
    copy.blocked_connection_timeout = None
    return copy
