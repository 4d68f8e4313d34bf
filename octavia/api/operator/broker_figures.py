"""RabbitMQ's figures of the queues: messages that wait, and dead letters. Kept for some seconds for all who ask."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog
from starlette.requests import Request

from octavia.brokers.queues import Names
from octavia.errors import Unavailable
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.urls import parse

if TYPE_CHECKING:
    from octavia.brokers.dead_letter_queues import DeadLetterQueues

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of messages: ``ready`` wait for a worker, ``dead`` lie with the dead letters.

    None without a broker, or while it does not answer.
    """

    ready: Mapping[Queue, int] | None = None
    dead: Mapping[Queue, int] | None = None

    @property
    def all_dead(self) -> int | None:
        """The dead letters of all queues."""
        return None if self.dead is None else sum(self.dead.values())


class BrokerFigures:
    """Asks RabbitMQ, over a connection for each question, at most once in ``fresh_seconds``."""

    def __init__(self, settings: Settings, *, fresh_seconds: float = 5.0) -> None:
        self._settings = settings
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._figures = Figures()
        self._read_at = float("-inf")

    def read(self) -> Figures:
        """Return the newest figures."""
        with self._lock:
            if not self._settings.embedded and time.monotonic() - self._read_at >= self._fresh_seconds:
                self._figures = self._ask()
                self._read_at = time.monotonic()
            return self._figures

    def forget(self) -> None:
        """Have the next one who asks get new figures."""
        with self._lock:
            self._read_at = float("-inf")

    def _ask(self) -> Figures:
        letters = dead_letter_queues(self._settings)
        try:
            return Figures(letters.ready(), letters.by_queue(letters.counts()))
        except Unavailable as error:
            logger.warning("broker_figures_missing", reason=error.code, detail=str(error))
            return Figures()


def dead_letter_queues(settings: Settings) -> "DeadLetterQueues":
    """Return the dead letters of a deployment with a broker."""
    # Not at the top: an embedded API needs no pika.
    from octavia.brokers.dead_letter_queues import DeadLetterQueues

    return DeadLetterQueues(settings)


def console_url(settings: Settings, queue: Queue) -> str | None:
    """Return the address of a queue in RabbitMQ's console; None if the settings name no console."""
    if not settings.console_url or settings.embedded:
        return None
    vhost = parse(settings.brokers[0]).path.removeprefix("/") or quote("/", safe="")
    name = Names(settings.queue_prefix, settings.queue_type).main(queue)
    return f"{settings.console_url.rstrip('/')}/#/queues/{vhost}/{quote(name, safe='')}"


def broker_figures_of(request: Request) -> BrokerFigures:
    """Return the figures of the app that serves a request."""
    figures: BrokerFigures = request.app.state.broker_figures
    return figures
