"""Time limits: the soft one is checked between pieces; the supervisor enforces the hard one from outside."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware

from octavia.middleware.process import Process
from octavia.settings import Settings
from octavia.work import Work


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an attempt, in seconds."""

    soft: float
    hard: float


def limits_for(settings: Settings, seconds: float) -> Limits:
    """The limits for so many seconds of media: 10 and 20 times as long, and at least those of the settings."""
    return Limits(max(settings.soft_limit_seconds, 10 * seconds), max(settings.hard_limit_seconds, 20 * seconds))


class TimeLimits(Middleware):
    """Sets the soft deadline of the task in hand, and reports its hard limit and its end to the supervisor.

    Maintenance, which is no task, has no soft limit. Its hard limit is that of loading a model: it waits for files and
    networks too, and must not block its queue for ever.
    """

    def __init__(self, settings: Settings, process: Process) -> None:
        self._settings = settings
        self._process = process
        self._hard_deadline = 0.0

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Start the limits."""
        work = self._process.work
        if work is None:
            self._process.report({"chore": message.actor_name, "limit": self._settings.load_limit_seconds})
            return
        limits = limits_for(self._settings, work.claim.seconds)
        self._set(work, limits.soft, limits.hard)
        work.loading = lambda: self._loading(work)

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Lift the limits: storing the outcome may take as long as the database is away."""
        self._process.report({"idle": True})

    @contextmanager
    def _loading(self, work: Work) -> Iterator[None]:
        """Stop the clocks while a model is loaded or fetched, and set the limit for that."""
        began = time.monotonic()
        soft_left, hard_left = work.soft_deadline - began, self._hard_deadline - began
        self._set(work, float("inf"), self._settings.load_limit_seconds, loading=True)
        try:
            yield
        finally:
            self._set(work, soft_left, hard_left)

    def _set(self, work: Work, soft: float, hard: float, *, loading: bool = False) -> None:
        now = time.monotonic()
        work.soft_deadline = now + soft
        self._hard_deadline = now + hard
        task, attempt = str(work.claim.task_id), work.claim.attempt
        stage = work.claim.ref.stage.value
        self._process.report({"task": task, "attempt": attempt, "stage": stage, "limit": hard, "loading": loading})
