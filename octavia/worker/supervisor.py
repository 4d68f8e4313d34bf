"""The supervisor of worker processes: one per queue and slot, each replaced whenever it ends.

What runs past its hard limit is killed from here, because code that never returns to Python cannot be interrupted from
within. The database is the janitor's business, so that no outage keeps this loop from its duties.
"""

import secrets
import select
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from octavia import observability
from octavia.broker import make_broker
from octavia.brokers.relay import Relay
from octavia.jobs.protocol import repair
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.middleware.process import worker_id
from octavia.settings import Settings
from octavia.worker import processes
from octavia.worker.courier import Courier
from octavia.worker.janitor import Held, Janitor, Obituary, Seen
from octavia.worker.processes import Ended, Kept, never
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
        self._db = Database.of(settings, pool_size=_CONNECTIONS)
        self._broker = make_broker(settings, self._db)
        self._relay = Relay(self._db, self._broker)
        self._janitor = Janitor(settings, self._db, self._broker)
        self._courier = Courier(settings, self._db) if deliver else None
        environment = settings.environment()
        # Machines may share a name, and containers that share one number their processes alike: a worker's own name,
        # by which its tasks are brought back when it dies, must not be another's that lives.
        ours = secrets.token_hex(3)
        self._slots = [
            _Slot(f"{name}.{ours}", served, command, environment, self._db.outbox_wakeup.set)
            for name, served in _places(settings.embedded, queues, slots)
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
        processes.reap_orphans()
        self._janitor.seen = tuple(seen for slot in self._slots if (seen := slot.seen()))

    def stop(self, grace: float | None = None, *, hurry: Callable[[], bool] = never) -> None:
        """Let each worker finish its piece, for so many seconds; then end them. Their tasks go back.

        Parameters:
          hurry: Asked again and again meanwhile: True ends the grace.
        """
        patience = self._settings.stop_grace_seconds + _MARGIN if grace is None else grace
        logger.info("supervisor_stopping", grace=patience)
        self._janitor.only_bury()
        running = [slot for slot in self._slots if slot.kept.pid]
        late = processes.stop(list(self._kept()), patience, hurry)
        for slot in running:
            if slot.kept.ended:
                self._janitor.bury(slot.obituary(slot.kept.ended, told=slot.kept in late))
        self._relay.stop()
        if self._courier:
            self._courier.stop()
        self._janitor.stop(_LAST_WORDS)
        self._broker.close()
        self._db.close()
        logger.info("supervisor_stopped")

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; needs the main thread. A second order ends everything at once."""
        observability.configure(self._settings)
        with StopSignal() as stop:
            self.start()
            while not stop.wait(0):
                self.poll()
            self.stop(hurry=lambda: stop.urgent)

    def _kept(self) -> Iterable[Kept]:
        yield from (slot.kept for slot in self._slots)
        yield from self._others


@dataclass(slots=True)
class _Known:
    """What one worker process has reported, and what was done about it.

    ``chore``: The maintenance it does. ``deadline``: when what it does must be over, in monotonic seconds. ``overdue``:
    the task for which it was killed. ``leaving``: it ends as it was told, and is no casualty.
    """

    held: Held | None = None
    chore: str | None = None
    deadline: float | None = None
    overdue: Held | None = None
    leaving: bool = False
    memory: int = 0


class _Slot:
    """One worker process after another, and what is known of the present one."""

    def __init__(
        self,
        place: str,
        queues: Sequence[Queue],
        command: Sequence[str],
        environment: dict[str, str],
        wake_relay: Callable[[], None],
    ) -> None:
        self.queues = queues
        self._wake_relay = wake_relay
        self._place = place
        argv = (*command, "--slot", place, "--queues", ",".join(queue.value for queue in queues))
        self.kept = Kept(place, argv, env=environment, reports=True)
        self._known = _Known()
        self._heard = 0.0

    def look(self) -> Obituary | None:
        """Hear, kill if overdue; tells once when the process has ended, and starts the next one when that is due."""
        self._hear()
        known = self._known
        if known.deadline is not None and time.monotonic() > known.deadline:
            logger.warning("killed_at_hard_limit", process=self.kept.name, pid=self.kept.pid, chore=known.chore)
            known.overdue, known.deadline = known.held, None
            self.kept.kill()
        ended = self.kept.poll()
        return self.obituary(ended, told=False) if ended else None

    def obituary(self, ended: Ended, *, told: bool) -> Obituary:
        """What there is to say of a process that has ended; what it reported is forgotten.

        Parameters:
          told: It was killed because it was told to end and had not.
        """
        self._hear()
        known, self._known = self._known, _Known()
        worker = worker_id(self._place, ended.pid)
        return Obituary(worker, ended.code, known.overdue, innocent=told or known.leaving)

    def seen(self) -> Seen | None:
        """The process as it is now, if it runs."""
        pid, known = self.kept.pid, self._known
        if pid is None:
            return None
        worker = worker_id(self._place, pid)
        return Seen(worker, pid, self.queues, known.held, known.memory, time.monotonic() - self._heard)

    def _hear(self) -> None:
        """Take in what the process has reported; of what a newer release may add, nothing is understood."""
        known = self._known
        for line in self.kept.read_reports():
            report = parse(line)
            self._heard = time.monotonic()
            if "limit" in report:
                self.kept.used()
                known.deadline = self._heard + report["limit"]
                known.chore = report.get("chore")
                if "task" in report:
                    loading = report.get("loading", False)
                    known.held = Held(UUID(report["task"]), report["attempt"], report["limit"], loading)
            elif "idle" in report:
                known.held = known.chore = known.deadline = None
            elif "outbox" in report:
                self._wake_relay()
            elif "leaving" in report:
                known.leaving = True
            elif "memory" in report:
                known.memory = report["memory"]


def _places(embedded: bool, queues: Sequence[Queue], slots: int) -> list[tuple[str, Sequence[Queue]]]:
    if embedded:
        return [(f"all-{number}", tuple(queues)) for number in range(slots)]
    # One process is plenty for what nobody waits for.
    counts = [(queue, 1 if queue is Queue.MAINTENANCE else slots) for queue in queues]
    return [(f"{queue.value}-{number}", (queue,)) for queue, count in counts for number in range(count)]
