"""Watches RabbitMQ: whether it answers, and its alarms. Short of memory or disk, it takes no messages for a while."""

import threading
import time
from typing import Any, Final

import pika
import structlog

from octavia.background import Turns, keep_on
from octavia.brokers.answers import Unanswered, answered_within
from octavia.brokers.rabbit import RabbitBroker, answering, blocked
from octavia.errors import Unavailable

_TICK: Final = 1.0
_ANSWER_WITHIN: Final = 10.0
_SILENCE: Final = 15.0
_NEVER: Final = float("-inf")

logger = structlog.get_logger()


class AlarmWatch:
    """Listens in a thread of its own, on a connection of its own, and asks for an answer once a second.

    RabbitMQ tells alarms only to connections that publish, and one that waits for a confirmation does not read it. So
    this one publishes a message to no queue once a second, waits for no confirmation, and listens.

    Attributes:
      reason: The resource that RabbitMQ is short of; None: no alarm, or it does not answer at all.
      turns: How its connections go.
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
        self.turns = Turns("alarm_watch", longest=5.0)
        self._answered_at = _NEVER
        self._silent_because = "it has not answered yet"

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

    def check_answers(self) -> None:
        """Raise ``Unavailable`` unless RabbitMQ answered lately and has no alarm; opens no connection for it."""
        self.check()
        if time.monotonic() - self._answered_at > _SILENCE:
            with answering():
                raise Unanswered(self._silent_because)

    def _run(self) -> None:
        keep_on(self.turns, self._watch, ended=self._stopping.is_set, wait=self._stopping.wait)

    def _watch(self) -> None:
        try:
            with answering():
                self._listen()
        except Unavailable as error:
            self._silent_because = error.reason
            raise
        finally:
            self.reason = None
            self._answered_at = _NEVER

    def _listen(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        connection.add_on_connection_blocked_callback(self._begun)
        connection.add_on_connection_unblocked_callback(self._over)
        channel = connection.channel()
        while not self._stopping.is_set():
            # A blocked connection would wait for an answer. Asked before publishing, which alone may block it.
            if self.reason is None:
                with answered_within(connection, _ANSWER_WITHIN):
                    channel.basic_qos()
                self._answered_at = time.monotonic()
                channel.basic_publish("", self._nobody, b"")
            connection.process_data_events(_TICK)
        if self.reason is None:
            connection.close()

    def _begun(self, _connection: object, frame: Any) -> None:
        self.reason = str(frame.method.reason)
        logger.warning("broker_blocked", reason=self.reason)

    def _over(self, _connection: object, _frame: object) -> None:
        self.reason, self._answered_at = None, time.monotonic()
        logger.info("broker_unblocked")
