"""``octavia serve`` without a broker: an API process and the workers, all kept by this one."""

import sys

from octavia import observability
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.worker.processes import Keeper, KeptProcess
from octavia.worker.signals import StopSignal
from octavia.worker.supervisor import Supervisor

_TICK = 0.5
# Beyond the grace that its requests have.
_API_MARGIN = 10.0


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    observability.configure(settings)
    database = Database.of(settings)
    database.upgrade()
    database.close()
    api = Keeper(
        [KeptProcess("api", [sys.executable, "-m", "octavia", "serve", "--no-workers"], env=settings.environment())]
    )
    supervisor = Supervisor(settings, list(Queue), settings.worker_slots, neighbours=api.processes)
    with StopSignal() as stop:
        api.start()
        supervisor.start()
        try:
            while not stop.wait(0):
                supervisor.poll(_TICK)
                api.poll(0)
        finally:
            # Both at once, or each would have the other's grace to wait for.
            api.terminate()
            supervisor.stop(urgent=lambda: stop.urgent)
            api.stop(settings.stop_grace_seconds + _API_MARGIN, urgent=lambda: stop.urgent)
