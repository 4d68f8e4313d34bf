"""The supervisor of worker processes: one process per queue and slot, each replaced whenever it ends, unless drained.

It kills a process that runs past its hard limit, because native code that does not return to Python cannot be
interrupted from within. It leaves the database to its janitor thread, so that no outage stops this loop.
"""

import secrets
import select
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog

from octavia import observability, programs, service_manager, temporary
from octavia.background import Turns, keep_on
from octavia.broker import make_broker
from octavia.brokers.relay import Relay
from octavia.errors import OctaviaError
from octavia.exporting import Exporter
from octavia.jobs.protocol import repair
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.worker import processes, showing
from octavia.worker.fork_server import ForkServer
from octavia.worker.forking import COMMAND
from octavia.worker.janitor import Janitor
from octavia.worker.pause_watch import PauseWatch
from octavia.worker.processes import KeptProcess, ProcessExit
from octavia.worker.signals import StopSignal
from octavia.worker.slots import Slot
from octavia.worker.starting import refuse_wrong_settings, until_available

if TYPE_CHECKING:
    from octavia.worker.courier import Courier

_SCHEDULER = programs.module("octavia.worker.scheduler")
_JANITOR_SECONDS = 5.0
# Added to a worker's own grace, for it to store that it has stopped.
_MARGIN = 3.0

logger = structlog.get_logger()


class WorkersFailing(OctaviaError):
    """No worker process lives for long, whatever it is given to do; ``last`` tells of one of them."""

    code = "workers_failing"

    def __init__(self, last: ProcessExit) -> None:
        how = f"exit code {last.code}" if last.code >= 0 else f"signal {-last.code}"
        said = f"The last one wrote:\n{last.last_words}" if last.last_words else "The last one wrote nothing."
        super().__init__(f"The worker processes end as soon as they are started ({how}).", hint=said)


class Supervisor:
    """Keeps worker processes. Call ``start``, ``poll`` and ``stop`` from one thread, which must outlive the processes.

    Parameters:
      queues: The queues to work for. With RabbitMQ each has processes of its own. Embedded, each process takes them
        all, and the scheduler runs too if maintenance is among them.
      slots: Processes per queue; embedded: in all.
      later: So many of these are started by ``add_worker`` only.
      deliver: Deliver webhooks too.
      export: Show metrics, if the settings name a port for them.
      command: The command of one worker process, which is given ``--slot`` and ``--queues``.
      server: Forks worker processes, of the usual command; the caller ends it. None: each is a new Python.
      neighbours: Other processes that this one keeps; see ``processes.reap_orphans``.
    """

    def __init__(
        self,
        settings: Settings,
        queues: Sequence[Queue],
        slots: int,
        *,
        later: int = 0,
        deliver: bool = True,
        export: bool = True,
        command: Sequence[str] = COMMAND,
        server: ForkServer | None = None,
        neighbours: Iterable[KeptProcess] = (),
    ) -> None:
        self._settings = settings
        self._db = Database.of(settings, pool_size=4)
        self._broker = make_broker(settings, self._db)
        self._relay = Relay(self._db, self._broker)
        self._janitor = Janitor(settings, self._db, self._broker)
        self._pauses = PauseWatch(self._db)
        self._courier = _courier(settings, self._db) if deliver else None
        self._exporter = None
        if export and settings.metrics_port:
            self._exporter = Exporter(settings, self._db, Storage(settings.storage), "worker")
        environment = settings.environment()
        # A worker's tasks are requeued by its name when it dies, so no living worker may have that name. Machines may
        # share a host name, and containers that do so number their processes alike.
        ours = secrets.token_hex(3)
        self._slots = [
            Slot(f"{name}.{ours}", served, command, environment, self._db.outbox_wakeup.set, server)
            for name, served in _places(settings.embedded, queues, slots)
        ]
        self._later = [self._slots.pop() for _ in range(later)]
        self._neighbours = tuple(neighbours)
        self._server = server
        self._steady = [self._janitor.turns]
        self._steady += [] if settings.embedded else [self._relay.turns]
        self._steady += [self._courier.turns] if self._courier else []
        self._others: list[KeptProcess] = []
        if settings.embedded and Queue.MAINTENANCE in queues:
            self._others.append(KeptProcess("scheduler", _SCHEDULER, env=settings.beside(1).environment()))

    def start(self) -> None:
        """Start everything; raises ``Unavailable`` if the database does not answer or has another release's schema."""
        if self._exporter:
            self._exporter.start()
        self._db.check()
        if self._settings.embedded:
            repair.republish_all(self._db)
        self._pauses.start()
        self._janitor.start()
        self._relay.start()
        if self._courier:
            self._courier.start()
        for slot in self._slots:
            slot.obey(self._pauses.pauses)
        for process in self._processes():
            if process.wanted:
                process.start()
        logger.info("supervisor_ready", workers=[slot.process.name for slot in self._slots])

    def poll(self, timeout: float = 0.5) -> None:
        """One tick: wait ``timeout`` seconds for reports, kill workers past their hard limit, replace ended ones.

        Raises ``ExceptionGroup`` with all that went wrong, as when the system cannot start another process; the other
        workers were seen to all the same.
        """
        pipes = [fd for slot in self._slots if (fd := slot.process.report_fd) is not None]
        select.select(pipes, [], [], timeout)
        errors = []
        chores: list[Callable[[], object]] = [partial(self._see_to, slot) for slot in self._slots]
        chores += [process.poll for process in self._others]
        for chore in chores:
            try:
                chore()
            except Exception as error:
                errors.append(error)
        processes.reap_orphans((*self._processes(), *self._neighbours), self._server)
        self._janitor.note([heartbeat for slot in self._slots if (heartbeat := slot.heartbeat())])
        if self._exporter:
            showing.show(slot.shown() for slot in self._slots)
        if errors:
            raise ExceptionGroup("Not all worker processes could be seen to.", errors)

    def add_worker(self) -> None:
        """Start one more of the worker processes that were left for later, if there is one."""
        if self._later:
            self._slots.append(self._later.pop())
            self._see_to(self._slots[-1])

    @property
    def workers(self) -> int:
        """The number of worker processes that are kept now."""
        return len(self._slots)

    @property
    def condition(self) -> str:
        """The number of worker processes that are up, in words."""
        return f"{self._up} of {len(self._slots)} worker processes are up."

    @property
    def ready(self) -> bool:
        """True once every worker process is up."""
        return self._up == len(self._slots)

    @property
    def alive(self) -> bool:
        """False if what runs beside the worker processes hangs."""
        return not any(turns.hanging for turns in self._steady)

    @property
    def _up(self) -> int:
        return sum(slot.up for slot in self._slots)

    def _see_to(self, slot: Slot) -> None:
        slot.obey(self._pauses.pauses)
        if exit := slot.poll():
            self._janitor.report_exit(exit)

    def check(self) -> None:
        """Raise ``WorkersFailing`` if every worker process has died soon after its start, again and again."""
        dead = [slot.process.last_exit for slot in self._slots if slot.process.failing]
        if len(dead) == len(self._slots) and (last := dead[-1]):
            raise WorkersFailing(last)

    def stop(self, grace: float | None = None, *, urgent: Callable[[], bool] = lambda: False) -> None:
        """Let each worker finish the piece in hand, then end them; their tasks are queued again.

        Parameters:
          grace: Seconds to wait; None: as the settings say.
          urgent: Asked again and again meanwhile; True ends the grace.
        """
        patience = self._settings.stop_grace_seconds + _MARGIN if grace is None else grace
        logger.info("supervisor_stopping", grace=patience)
        self._janitor.handle_only_exits()
        running = [slot for slot in self._slots if slot.process.pid]
        killed = processes.stop(list(self._processes()), patience, urgent)
        for slot in running:
            if slot.process.last_exit:
                self._janitor.report_exit(slot.exit_of(slot.process.last_exit, killed=slot.process in killed))
        self._pauses.stop()
        self._relay.stop()
        if self._courier:
            self._courier.stop()
        self._janitor.stop(_JANITOR_SECONDS)
        if self._exporter:
            self._exporter.stop()
        self._broker.close()
        self._db.close()
        logger.info("supervisor_stopped")

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; needs the main thread. A second order ends everything at once.

        A database that is away is waited for. Raises ``Unavailable`` if waiting is no use, as for a wrong password.
        """
        observability.configure(self._settings)
        with temporary.below(self._settings.data_dir), StopSignal() as stop:
            if not self._settings.embedded:
                refuse_wrong_settings("broker", self._broker.check)
            if until_available("supervisor", self.start, stop.wait):
                reporter = service_manager.Reporter()
                turns = Turns("supervisor", longest=2.0)
                keep_on(turns, lambda: self._turn(reporter), ended=lambda: stop.wait(0), wait=stop.wait)
            service_manager.stopping(self._settings.stop_grace_seconds)
            self.stop(urgent=lambda: stop.urgent)

    def _turn(self, reporter: service_manager.Reporter) -> None:
        try:
            self.poll()
        finally:
            # Also after an error, which is logged: whoever restarts this process for it would end all tasks in hand.
            reporter.report(self.condition, ready=self.ready, alive=self.alive)

    def _processes(self) -> Iterable[KeptProcess]:
        yield from (slot.process for slot in self._slots)
        yield from self._others


def _courier(settings: Settings, db: Database) -> "Courier":
    # Imported only where it is used: it takes a fifth of the time of all that a supervisor needs.
    from octavia.worker.courier import Courier

    return Courier(settings, db)


def _places(embedded: bool, queues: Sequence[Queue], slots: int) -> list[tuple[str, Sequence[Queue]]]:
    if embedded:
        return [(f"all-{number}", tuple(queues)) for number in range(slots)]
    # Nobody waits for maintenance: one process is enough.
    counts = [(queue, 1 if queue is Queue.MAINTENANCE else slots) for queue in queues]
    return [(f"{queue.value}-{number}", (queue,)) for queue, count in counts for number in range(count)]
