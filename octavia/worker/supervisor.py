"""The supervisor of worker processes: one per queue and slot, each replaced whenever it ends.

What runs past its hard limit is killed from here, because code that never returns to Python cannot be interrupted from
within. The database is the janitor's business, so that no outage keeps this loop from its duties.
"""

import select
import sys
import time
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog

from octavia import observability
from octavia.broker import make_broker
from octavia.jobs import outbox, repair
from octavia.jobs.database import Database
from octavia.jobs.states import Queue
from octavia.middleware.process import worker_id
from octavia.settings import Settings
from octavia.worker import processes
from octavia.worker.courier import Courier
from octavia.worker.janitor import Cause, Held, Janitor, Obituary, Seen
from octavia.worker.processes import Kept
from octavia.worker.relay import Relay
from octavia.worker.reports import parse
from octavia.worker.signals import StopSignal

_CHILD = (sys.executable, "-m", "octavia.worker.child")
_SCHEDULER = (sys.executable, "-m", "octavia.worker.scheduler")
_CONNECTIONS = 4
_TICK = 0.5
_LAST_WORDS = 5.0
# Beyond a worker's own grace, for it to store that it has stopped.
_MARGIN = 3.0

logger = structlog.get_logger()


class Supervisor:
    """Keeps worker processes. ``start``, ``poll`` and ``stop`` belong to one thread, which must outlive them.

    Parameters:
      queues: What to work for. Embedded, each process takes them all, and the scheduler runs too if maintenance is
        among them; with RabbitMQ, each has processes of its own.
      slots: Processes per queue; embedded: in all.
      deliver: Whether it delivers webhooks too.
      command: What runs one worker process, given ``--slot`` and ``--queues``.
    """

    def __init__(
        self,
        settings: Settings,
        queues: Sequence[Queue],
        slots: int,
        *,
        deliver: bool = True,
        command: Sequence[str] = _CHILD,
    ) -> None:
        self._settings = settings
        self._db = Database(settings.database, pool_size=_CONNECTIONS)
        self._broker = make_broker(settings, self._db)
        self._relay = Relay(self._db, self._broker)
        self._janitor = Janitor(settings, self._db, self._broker)
        self._courier = Courier(settings, self._db) if deliver else None
        environment = settings.environment()
        self._slots = [
            _Slot(name, served, command, environment) for name, served in _places(settings.embedded, queues, slots)
        ]
        self._others: list[Kept] = []
        if settings.embedded and Queue.MAINTENANCE in queues:
            self._others.append(Kept("scheduler", _SCHEDULER, env=environment))

    def start(self) -> None:
        """Start everything.

        Raises:
          Unavailable: The database does not answer, or is not of this release.
        """
        self._db.check()
        if self._settings.embedded:
            repair.republish_all(self._db)
        self._janitor.start()
        self._relay.start()
        if self._courier:
            self._courier.start()
        for kept in self._kept():
            kept.start()
        logger.info("supervisor_ready", workers=[slot.kept.name for slot in self._slots])

    def poll(self, timeout: float = _TICK) -> None:
        """One tick: hear reports, kill what is overdue, replace what has ended. Waits for news, but not longer."""
        pipes = [fd for slot in self._slots if (fd := slot.kept.report_fd) is not None]
        select.select(pipes, [], [], timeout)
        for slot in self._slots:
            obituary = slot.look()
            if obituary:
                self._janitor.bury(obituary)
        for kept in self._others:
            kept.poll()
        self._janitor.seen = tuple(seen for slot in self._slots if (seen := slot.seen()))

    def stop(self, grace: float | None = None) -> None:
        """Let each worker finish its piece, for so many seconds; then end them. Their tasks go back."""
        patience = self._settings.stop_grace_seconds + _MARGIN if grace is None else grace
        logger.info("supervisor_stopping", grace=patience)
        self._janitor.seen = ()
        pids = {slot: slot.kept.pid for slot in self._slots}
        processes.stop(list(self._kept()), patience)
        for slot in self._slots:
            slot.hear()
            pid = pids[slot]
            if pid:
                self._janitor.bury(Obituary(worker_id(slot.kept.name, pid), Cause.STOPPED, slot.held))
        self._relay.stop()
        if self._courier:
            self._courier.stop()
        self._janitor.stop(_LAST_WORDS)
        self._broker.close()
        self._db.close()
        logger.info("supervisor_stopped")

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; needs the main thread. A second signal ends everything at once."""
        observability.configure(self._settings)
        with StopSignal() as stop:
            self.start()
            while not stop.wait(0):
                self.poll()
            self.stop()

    def _kept(self) -> Iterable[Kept]:
        yield from (slot.kept for slot in self._slots)
        yield from self._others


class _Slot:
    """One worker process after another, and what the present one reports."""

    def __init__(self, name: str, queues: Sequence[Queue], command: Sequence[str], environment: dict[str, str]) -> None:
        self.queues = queues
        argv = (*command, "--slot", name, "--queues", ",".join(queue.value for queue in queues))
        self.kept = Kept(name, argv, env=environment, reports=True)
        self.held: Held | None = None
        self._deadline = 0.0
        self._overdue = False
        self._memory = 0
        self._heard = 0.0

    def look(self) -> Obituary | None:
        """Hear, kill if overdue; tells once when the process has ended, and starts the next one when that is due."""
        self.hear()
        if self.held and time.monotonic() > self._deadline and not self._overdue:
            self._overdue = True
            self.kept.kill()
        ended = self.kept.poll()
        if ended is None:
            return None
        self.hear()
        cause = Cause.TIME_LIMIT if self._overdue else Cause.ENDED
        obituary = Obituary(worker_id(self.kept.name, ended.pid), cause, self.held)
        self._forget()
        return obituary

    def hear(self) -> None:
        """Take in what the process has reported."""
        for line in self.kept.read_reports():
            report = parse(line)
            self._heard = time.monotonic()
            if "task" in report:
                self.held = Held(UUID(report["task"]), report["attempt"])
                self._deadline = self._heard + report["limit"]
            elif "idle" in report:
                self.held = None
            elif "outbox" in report:
                outbox.wakeup.set()
            else:
                self._memory = report["memory"]

    def seen(self) -> Seen | None:
        """The process as it is now, if it runs."""
        pid = self.kept.pid
        if pid is None:
            return None
        worker = worker_id(self.kept.name, pid)
        return Seen(worker, pid, self.queues, self.held, self._memory, time.monotonic() - self._heard)

    def _forget(self) -> None:
        self.held = None
        self._overdue = False
        self._memory = 0


def _places(embedded: bool, queues: Sequence[Queue], slots: int) -> list[tuple[str, Sequence[Queue]]]:
    if embedded:
        return [(f"all-{number}", tuple(queues)) for number in range(slots)]
    # One process is plenty for what nobody waits for.
    counts = [(queue, 1 if queue is Queue.MAINTENANCE else slots) for queue in queues]
    return [(f"{queue.value}-{number}", (queue,)) for queue, count in counts for number in range(count)]
