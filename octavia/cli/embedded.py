"""``octavia serve`` without a broker: an API process and the workers, all kept by this one."""

import sys

from octavia import observability
from octavia.jobs.database import Database
from octavia.jobs.states import Queue
from octavia.settings import Settings
from octavia.worker.processes import Keeper, Kept
from octavia.worker.signals import StopSignal
from octavia.worker.supervisor import Supervisor

_TICK = 0.5


def run(settings: Settings) -> None:
    """Serve until told to stop."""
    observability.configure(settings)
    database = Database(settings.database)
    database.upgrade()
    database.close()
    api = Keeper([Kept("api", [sys.executable, "-m", "octavia", "serve", "--no-workers"], env=settings.environment())])
    supervisor = Supervisor(settings, list(Queue), settings.worker_slots)
    with StopSignal() as stop:
        api.start()
        supervisor.start()
        try:
            while not stop.wait(0):
                supervisor.poll(_TICK)
                api.poll(0)
        finally:
            api.stop(settings.stop_grace_seconds)
            supervisor.stop(settings.stop_grace_seconds)
