"""Ends attempts whose actor raised: retried later, given back, or failed for good."""

from enum import Enum, auto
from typing import Any

import structlog
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.errors import BrokerError

from octavia.errors import Canceled, LeaseLost, Stopping, TimeLimitExceeded, Unavailable
from octavia.jobs.protocol import claims, completion
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Disposition, Failure
from octavia.metrics.declared import TIME_LIMITS
from octavia.middleware.process import Process
from octavia.settings import Settings
from octavia.work import Work

logger = structlog.get_logger()


class Ending(Enum):
    """The ending of an attempt that was not completed."""

    CANCELED = auto()  # its job was canceled
    DISCARDED = auto()  # another worker has its task: nothing to store
    GIVEN_BACK = auto()  # it does not count; the task is queued again at once
    GIVEN_BACK_LATER = auto()  # it does not count; a service that it needs is away, so wait before queueing it again
    FAILED = auto()  # it counts; the task's state decides on another attempt


def ending_of(error: BaseException) -> Ending:
    """The ending of an attempt whose actor raised ``error``."""
    match error:
        case Canceled():
            return Ending.CANCELED
        case LeaseLost():
            return Ending.DISCARDED
        case Stopping():
            return Ending.GIVEN_BACK
        case Unavailable() | BrokerError():
            return Ending.GIVEN_BACK_LATER
        case _:
            return Ending.FAILED


class Retries(Middleware):
    """Stores the ending of attempts that raised.

    Parameters:
      outage_pause: Seconds before an attempt is given back because the storage or the broker is away.
    """

    def __init__(self, db: Database, settings: Settings, process: Process, *, outage_pause: float = 10.0) -> None:
        self._db = db
        self._settings = settings
        self._process = process
        self._outage_pause = outage_pause

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """End the attempt if its actor raised."""
        if exception is None:
            return
        if self._process.work:
            self.settle(self._process.work, exception)
        else:
            logger.error("actor_failed", actor=message.actor_name, exc_info=exception)

    def settle(self, work: Work, error: BaseException) -> None:
        """Store the ending of an attempt. If that fails other than by an outage, its lease will end it."""
        ending = ending_of(error)
        failure = Failure.of(error, work.claim.ref.job_id)
        if isinstance(error, TimeLimitExceeded):
            TIME_LIMITS.add(stage=work.claim.ref.stage.value, kind="soft")
        if ending is Ending.GIVEN_BACK_LATER:
            logger.warning("dependency_unavailable", reason=str(error), again_in=self._outage_pause)
            self._process.stopping.wait(self._outage_pause)
        try:
            outcome = self._process.patiently("store the ending", lambda: self._store(work, ending, failure))
        except Exception:
            logger.exception("ending_not_stored")
            return
        if ending is Ending.FAILED:
            # A traceback only for a fault of ours; bad input needs none.
            trace = error if failure.code == "internal_error" else None
            logger.error("task_failed", code=failure.code, outcome=outcome, exc_info=trace)
        else:
            logger.info("task_ended", ending=ending.name.lower())

    def _store(self, work: Work, ending: Ending, failure: Failure) -> Disposition | None:
        task_id, attempt = work.claim.task_id, work.claim.attempt
        match ending:
            case Ending.CANCELED:
                completion.stop_canceled(self._db, task_id, attempt)
            case Ending.GIVEN_BACK | Ending.GIVEN_BACK_LATER:
                claims.give_back(self._db, task_id, attempt)
            case Ending.FAILED:
                return completion.fail(
                    self._db,
                    task_id,
                    attempt,
                    failure,
                    retry_delays=self._settings.retry_delays,
                    jitter=self._settings.retry_jitter,
                )
        return None
