"""``octavia serve`` without a broker: this process starts the API and the workers, and restarts them when they end."""

from contextlib import closing

from octavia import observability, programs, temporary
from octavia.background import Turns, keep_on
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.worker.processes import Keeper, KeptProcess
from octavia.worker.signals import StopSignal
from octavia.worker.starting import until_available
from octavia.worker.supervisor import Supervisor

_TICK = 0.5
# Seconds beyond the grace period of its requests.
_API_MARGIN = 10.0


def run(settings: Settings) -> None:
    """Run the API and the workers until a signal to stop.

    A database that is away is waited for. Raises ``Unavailable`` if waiting is no use, as for a wrong password.
    """
    observability.configure(settings)
    with temporary.below(settings.data_dir):
        _run(settings)


def _run(settings: Settings) -> None:
    with StopSignal() as stop:
        with closing(Database.of(settings)) as database:
            if not until_available("serve", database.upgrade, stop.wait):
                return
        command = programs.module("octavia", "serve", "--no-workers")
        api = Keeper([KeptProcess("api", command, env=settings.environment())])
        supervisor = Supervisor(settings.beside(1), list(Queue), settings.worker_slots, neighbours=api.processes)

        def turn() -> None:
            api.poll(0)
            supervisor.poll(_TICK)

        api.start()
        try:
            if until_available("serve", supervisor.start, stop.wait):
                keep_on(Turns("serve", longest=2.0), turn, ended=lambda: stop.wait(0), wait=stop.wait)
        finally:
            # Both at once, so that neither waits for the grace period of the other.
            api.terminate()
            supervisor.stop(urgent=lambda: stop.urgent)
            api.stop(settings.stop_grace_seconds + _API_MARGIN, urgent=lambda: stop.urgent)
