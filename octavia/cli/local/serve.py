"""``octavia serve`` without a broker: this process starts the API and the workers, and restarts them when they end."""

from contextlib import closing

from octavia import observability, programs, temporary
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.worker.processes import Keeper, KeptProcess
from octavia.worker.signals import StopSignal
from octavia.worker.supervisor import Supervisor

_TICK = 0.5
# Seconds beyond the grace period of its requests.
_API_MARGIN = 10.0


def run(settings: Settings) -> None:
    """Run the API and the workers until a signal to stop."""
    observability.configure(settings)
    with temporary.below(settings.data_dir):
        _run(settings)


def _run(settings: Settings) -> None:
    with closing(Database.of(settings)) as database:
        database.upgrade()
    api = Keeper([KeptProcess("api", programs.module("octavia", "serve", "--no-workers"), env=settings.environment())])
    supervisor = Supervisor(settings, list(Queue), settings.worker_slots, neighbours=api.processes)
    with StopSignal() as stop:
        api.start()
        supervisor.start()
        try:
            while not stop.wait(0):
                supervisor.poll(_TICK)
                api.poll(0)
        finally:
            # Both at once, so that neither waits for the grace period of the other.
            api.terminate()
            supervisor.stop(urgent=lambda: stop.urgent)
            api.stop(settings.stop_grace_seconds + _API_MARGIN, urgent=lambda: stop.urgent)
