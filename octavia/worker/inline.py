"""A worker in a thread of a command's own process: a short text is translated sooner than another process starts.

It is the worker of ``child``, with the same broker, middleware and actors, and no supervisor. What that would do from
outside is not needed here, or ends the command:

- No other process works in the command's folder, whose lock it holds: no leases of others need watching.
- Native code that crashes ends the command, as it would end a worker process. The text is translated anew when the
  command is given again.
- Past the hard limit ``check`` raises, and the command ends, and with it the thread.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from dramatiq import Broker, MessageProxy, Middleware, Worker

from octavia.broker import make_broker
from octavia.brokers.queues import TaskBroker
from octavia.errors import OctaviaError, TimeLimitExceeded, Unavailable
from octavia.jobs.protocol import claims, repair
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import JOB_QUEUES
from octavia.middleware.postpone import Postpone
from octavia.middleware.process import Process, host, worker_id
from octavia.settings import Settings
from octavia.storage import Storage

Declare = Callable[[TaskBroker, Process, Settings], None]

_LOOK: Final = 50
"""Milliseconds between two looks of its threads at whether to stop."""


class InlineWorker:
    """Does the tasks of an embedded queue one after the other. Call its methods from one thread.

    Parameters:
      db: It has the tables of this release, and nobody else works on its tasks.
      declare: Declares the stages' actors.
    """

    def __init__(self, settings: Settings, db: Database, storage: Storage, declare: Declare) -> None:
        self._settings = settings
        self._db = db
        self._process = Process(worker_id("inline"), self._note)
        self._broker = make_broker(settings, db, storage, process=self._process)
        declare(self._broker, self._process, settings)
        self._deadline = float("inf")
        self._turned = threading.Event()
        self._broker.add_middleware(_Turns(self._turned), before=Postpone)
        served = self._broker.serve(JOB_QUEUES)
        self._worker = Worker(self._broker, queues=served, worker_threads=1, worker_timeout=_LOOK)

    def start(self) -> None:
        """Start to work; raises ``Unavailable`` if the database does not answer."""
        # The next command finds it there if this one crashes, and ends its leases at once.
        workers.mark_seen(self._db, self._process.worker, host(), 0, JOB_QUEUES, None, 0)
        repair.republish_all(self._db)
        self._worker.start()

    def poll(self, timeout: float) -> None:
        """Wait for the end of a task, at most ``timeout`` seconds."""
        self._turned.wait(timeout)
        self._turned.clear()

    def check(self) -> None:
        """Raise what ends the command.

        Raises:
          TimeLimitExceeded: The task in hand is past its hard limit.
          OctaviaError: ``workers_failing``: a thread of the worker has died.
        """
        if time.monotonic() > self._deadline:
            raise TimeLimitExceeded("The text took longer than its hard time limit, and was given up.")
        if not all(thread.is_alive() for thread in (*self._worker.workers, *self._worker.consumers.values())):
            raise OctaviaError(
                "A thread of the worker has died.", code="workers_failing", hint="Give the command again."
            )

    def stop(self, grace: float) -> None:
        """Let the task in hand stop between two pieces; give it back if that takes more than ``grace`` seconds.

        A task past its hard limit is not waited for.
        """
        self._process.stop()
        # All at once: none waits for the other to look.
        for consumer in self._worker.consumers.values():
            consumer.stop()
        for thread in self._worker.workers:
            thread.stop()
        deadline = min(time.monotonic() + grace, self._deadline)
        for thread in self._worker.workers:
            thread.join(max(deadline - time.monotonic(), 0))
        if (work := self._process.work) and any(thread.is_alive() for thread in self._worker.workers):
            # The thread ends with this process, and its result finds that the attempt is no longer its own.
            with suppress(Unavailable):
                claims.give_back(self._db, work.claim.task_id, work.claim.attempt)
            return
        self._worker.stop()
        self._broker.close()

    def _note(self, report: Mapping[str, Any]) -> None:
        """Take in what a supervisor would be told: the limit of the task in hand, or that there is none."""
        if "limit" in report:
            self._deadline = time.monotonic() + report["limit"]
        elif "idle" in report:
            self._deadline = float("inf")


class _Turns(Middleware):
    """Tells of the end of each message; first in the list, so that everything about it is stored by then."""

    def __init__(self, turned: threading.Event) -> None:
        self._turned = turned

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        self._turned.set()
