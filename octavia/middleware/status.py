"""Status persistence: claims a task before its actor runs, and completes it, in one transaction, afterwards."""

from typing import Any

import structlog
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.middleware import SkipMessage

from octavia import tracing
from octavia.brokers.queues import Delivery
from octavia.errors import InputError
from octavia.jobs.protocol import claims, completion, messages
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Claim
from octavia.jobs.tables.states import Stage
from octavia.middleware import spans
from octavia.middleware.lease import LeaseKeeper
from octavia.middleware.paused import hold_and_give_back
from octavia.middleware.postpone import put_back
from octavia.middleware.process import Process, host
from octavia.middleware.retries import Retries
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work

_STAGES = frozenset(stage.value for stage in Stage)

logger = structlog.get_logger()


class Status(Middleware):
    """Claims and completes tasks, and keeps their leases in between. Messages of actors that are no stage are ignored.

    Dramatiq logs and swallows the exception of a hook, and then runs the actor or acknowledges. So the hooks wait for
    the database instead of raising, and skip messages that must not run.

    Parameters:
      retries: Ends attempts that cannot be completed.
    """

    def __init__(self, db: Database, storage: Storage, settings: Settings, process: Process, retries: Retries) -> None:
        self._db = db
        self._storage = storage
        self._settings = settings
        self._process = process
        self._retries = retries
        self._lease: LeaseKeeper | None = None

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Claim the message's task.

        Raises:
          SkipMessage: There is nothing to do for this message. It is acknowledged, or rejected if it names no task,
            or given back if its queue is paused.
        """
        if message.actor_name not in _STAGES:
            return
        assert isinstance(message, Delivery)
        try:
            claim = self._process.patiently("claim", lambda: self._claim(message))
            message.claimed = True
            self._begin(claim, message)
        except claims.NotClaimable as error:
            logger.info("message_dropped", message=str(message), reason=str(error))
            raise SkipMessage(str(error)) from error
        except claims.QueuePaused:
            hold_and_give_back(broker, message)
        except InputError as error:
            logger.error("message_rejected", message_id=message.message_id, reason=str(error))
            message.fail()
            raise SkipMessage(str(error)) from error
        except Exception as error:
            # Perhaps only a newer release can read a row, or it is a fault of ours: another worker may succeed.
            logger.exception("claim_failed", message=str(message))
            put_back(self._db, self._process, message)
            raise SkipMessage("the task could not be claimed") from error

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Complete the task, unless its actor raised, which ``Retries`` has dealt with."""
        work = self._process.work
        if work is None:
            return
        try:
            if exception is None:
                self._complete(work, message)
        finally:
            self._end()

    def _claim(self, message: Delivery) -> Claim:
        ref = messages.ref_of(message.message)
        return claims.claim(self._db, ref, self._process.worker, lease=self._settings.lease_seconds, host=host())

    def _begin(self, claim: Claim, message: Delivery) -> None:
        ref = claim.ref
        self._process.span = spans.begin(claim, self._process.worker, message)
        structlog.contextvars.bind_contextvars(
            job_id=str(ref.job_id), run=ref.run, chunk=ref.chunk, stage=ref.stage.value, attempt=claim.attempt
        )
        if trace := tracing.trace_id():
            structlog.contextvars.bind_contextvars(trace_id=trace)
        logger.info("task_started")
        work = Work(self._db, claim, self._storage, self._settings, sent=self._wake_relay)
        self._process.take(work)
        self._lease = LeaseKeeper(self._db, self._settings, work)
        self._lease.start()

    def _complete(self, work: Work, message: MessageProxy) -> None:
        try:
            handover = messages.pipe_target(message.encode())
            ours = self._process.patiently(
                "complete",
                lambda: completion.complete(
                    self._db,
                    work.claim,
                    artifacts=work.artifacts,
                    handover=handover,
                    plan=work.plan,
                    detected=work.detected,
                    models=work.models,
                    dub=work.dub,
                    warnings=work.warnings,
                    heard=work.unreported,
                ),
            )
        except Exception as error:
            logger.exception("completion_failed")
            self._retries.settle(work, error)
        else:
            self._process.span.note({spans.OUTCOME: "completed" if ours else "lost"})
            logger.info("task_completed" if ours else "lease_lost")

    def _end(self) -> None:
        if self._lease:
            self._lease.stop()
        self._lease = None
        self._process.work = None
        self._process.span.end()
        structlog.contextvars.clear_contextvars()
        self._wake_relay()

    def _wake_relay(self) -> None:
        """Tell the relay, which is in the supervisor's process, so that what waits for a place goes out at once."""
        self._process.report({"outbox": True})
