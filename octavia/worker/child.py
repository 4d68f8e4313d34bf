"""One worker process: a Dramatiq worker with one thread, kept by a supervisor.

``python -m octavia.worker.child --slot NAME --queues transcribe,translate``
"""

import argparse
import faulthandler
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil
import structlog
from dramatiq import Broker, MessageProxy, Middleware, Worker

from octavia import observability, temporary, tracing
from octavia.background import Turns
from octavia.broker import make_broker
from octavia.brokers.posting import Poster
from octavia.brokers.queues import TaskBroker
from octavia.jobs.protocol import claims
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import AttemptOutcome, Queue
from octavia.metrics.declared import models_loaded
from octavia.middleware.postpone import Postpone
from octavia.middleware.process import Process, worker_id
from octavia.middleware.spans import OUTCOME
from octavia.settings import Settings, get_settings
from octavia.storage import Storage
from octavia.worker.orders import Orders
from octavia.worker.reports import Reports
from octavia.worker.signals import StopSignal

Declare = Callable[[TaskBroker, Process, Settings], None]

_MIB = 1024 * 1024

logger = structlog.get_logger()


class Recycling(Middleware):
    """Calls ``due``, in the worker's thread, after so many messages or at such a size as the settings say."""

    def __init__(self, settings: Settings, due: Callable[[], None]) -> None:
        self._settings = settings
        self._due = due
        self._done = 0

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Count messages, and measure memory."""
        self._done += 1
        memory = _resident()
        if self._done >= self._settings.recycle_tasks or memory > self._settings.recycle_memory_mb * _MIB:
            logger.info("worker_recycled", done=self._done, memory_mb=memory // _MIB)
            self._due()


def run(arguments: Sequence[str], declare: Declare) -> int:
    """Work until told to stop; returns the exit code.

    Parameters:
      arguments: ``--slot`` and ``--queues``.
      declare: Declares the stages' actors; those of maintenance are declared here, for a process that serves its queue.
    """
    # If native code crashes, the log shows in which of our calls.
    faulthandler.enable()
    options = _parse(arguments)
    settings = get_settings()
    observability.configure(settings)
    tracing.configure(settings, "worker")
    with temporary.below(settings.data_dir):
        code = _work(options, settings, declare)
    tracing.shutdown()
    return code


def _work(options: argparse.Namespace, settings: Settings, declare: Declare) -> int:
    reports = Reports(counting=bool(settings.metrics_port))
    process = Process(worker_id(options.slot), reports)
    db = Database.of(settings, pool_size=3)
    storage = Storage(settings.storage)
    broker = make_broker(settings, db, storage, process=process)
    declare(broker, process, settings)
    orders = Orders(broker.gate)
    poster = Poster(db, broker)
    queues = [Queue(name) for name in options.queues.split(",")]
    if Queue.MAINTENANCE in queues:
        # Imported only now: one process of many does it.
        from octavia.worker import maintenance

        maintenance.declare(broker, db, storage)
    worker = Worker(broker, queues=broker.serve(queues), worker_threads=1, worker_timeout=250)  # milliseconds
    # A service manager's signal reaches this process directly and again through its supervisor, which kills it if it
    # takes too long.
    with StopSignal(escalate=False) as stop:

        def recycle() -> None:
            # Called by the worker's own thread, which takes no other message after this.
            _take_no_more(worker)
            stop.set()

        # First in the list, so it runs last after a message: when everything about it is stored.
        broker.add_middleware(Recycling(settings, recycle), before=Postpone)
        orders.start()
        poster.start()
        worker.start()
        logger.info("worker_ready", worker=process.worker, queues=options.queues)
        healthy = _watch(worker, process, stop, settings.lease_renew_seconds, orders.drain)
        process.stop()
        _finish(worker, process, db, settings.stop_grace_seconds)
        poster.stop()
    broker.close()
    db.close()
    reports.finish()
    return 0 if healthy else 1


def _watch(worker: Worker, process: Process, stop: StopSignal, every: float, drain: threading.Event) -> bool:
    """Report memory every ``every`` seconds until it is time to stop; False if a thread of the worker has died.

    Once ``drain`` is set, it is time when the task in hand is done.
    """
    next_report = 0.0
    reports = Turns("memory_report")
    while True:
        # At once, too: by its first report the supervisor knows that the process has come up.
        if time.monotonic() >= next_report:
            # The task in hand must not be lost for a measurement.
            reports.attempt(lambda: process.report({"memory": _resident(), "models": models_loaded()}))
            next_report = time.monotonic() + max(every, reports.pause)
        if stop.wait(min(every, 1.0)):
            return True
        if drain.is_set():
            _take_no_more(worker)
            if not any(thread.is_alive() for thread in worker.workers):
                logger.info("worker_drained", worker=process.worker)
                return True
        # Without its consumers, too, a worker would go on and do nothing.
        elif not all(thread.is_alive() for thread in (*worker.workers, *worker.consumers.values())):
            logger.error("worker_thread_died", worker=process.worker)
            return False


def _finish(worker: Worker, process: Process, db: Database, grace: float) -> None:
    """Let the task in hand stop between two pieces; if it does not within ``grace`` seconds, give it back and exit."""
    _take_no_more(worker)
    deadline = time.monotonic() + grace
    for thread in worker.workers:
        thread.join(max(deadline - time.monotonic(), 0))
    work = process.work
    if work and any(thread.is_alive() for thread in worker.workers):
        try:
            claims.give_back(db, work.claim.task_id, work.claim.attempt)
        except Exception:
            logger.exception("give_back_failed", task=str(work.claim.task_id))
        process.span.note({OUTCOME: AttemptOutcome.GIVEN_BACK.value})
        process.leave()
    worker.stop(timeout=5000)  # milliseconds
    logger.info("worker_stopped", worker=process.worker)


def _take_no_more(worker: Worker) -> None:
    for thread in worker.workers:
        thread.stop()


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="octavia.worker.child")
    parser.add_argument("--slot", required=True, help="name of this process's place at its supervisor")
    parser.add_argument("--queues", required=True, help="logical queue names, separated by commas")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run a worker process of Octavia's own stages; returns the exit code."""
    from octavia.actors import declare

    return run(arguments, declare)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
