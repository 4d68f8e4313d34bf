"""``octavia serve`` without a broker: this process starts the API and the workers, and restarts them when they end."""

import socket
import time
from collections.abc import Sequence
from contextlib import closing

from octavia import observability, programs, service_manager, temporary
from octavia.background import Turns, keep_on
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.worker.fork_server import ForkServer
from octavia.worker.processes import Keeper, KeptProcess
from octavia.worker.signals import StopSignal
from octavia.worker.starting import until_available
from octavia.worker.supervisor import Supervisor

_TICK = 0.5
# Seconds beyond the grace period of its requests.
_API_MARGIN = 10.0
# The API says once a second that it serves.
_API_SILENT = 30.0


def run(settings: Settings, sockets: Sequence[socket.socket], server: ForkServer | None = None) -> None:
    """Run the API and the workers, which the server forks, until a signal to stop.

    The sockets stay open while the API is restarted, so that no client is turned away and no other program gets the
    port.

    A database that is away is waited for. Raises ``Unavailable`` if waiting is no use, as for a wrong password.
    """
    observability.configure(settings)
    with temporary.below(settings.data_dir):
        _run(settings, sockets, server)


def _run(settings: Settings, sockets: Sequence[socket.socket], server: ForkServer | None) -> None:
    with StopSignal() as stop:
        with closing(Database.of(settings)) as database:
            if not until_available("serve", database.upgrade, stop.wait):
                return
        numbers = [listening.fileno() for listening in sockets]
        command = programs.module("octavia", "serve", "--no-workers", *(f"--socket={number}" for number in numbers))
        api_process = KeptProcess("api", command, env=settings.environment(), reports=True, files=numbers)
        api = Keeper([api_process])
        supervisor = Supervisor(
            settings.beside(1), list(Queue), settings.worker_slots, server=server, neighbours=api.processes
        )

        reporter = service_manager.Reporter()
        heard = float("-inf")

        def turn() -> None:
            nonlocal heard
            api.poll(0)
            if api_process.read_reports():
                heard = time.monotonic()
            supervisor.poll(_TICK)
            serves = time.monotonic() - heard < _API_SILENT
            ready, alive = serves and supervisor.ready, serves and supervisor.alive
            reporter.report(supervisor.condition, ready=ready, alive=alive)

        api.start()
        try:
            if until_available("serve", supervisor.start, stop.wait):
                keep_on(Turns("serve", longest=2.0), turn, ended=lambda: stop.wait(0), wait=stop.wait)
        finally:
            service_manager.stopping(settings.stop_grace_seconds)
            for listening in sockets:
                listening.close()
            # Both at once, so that neither waits for the grace period of the other.
            api.terminate()
            supervisor.stop(urgent=lambda: stop.urgent)
            api.stop(settings.stop_grace_seconds + _API_MARGIN, urgent=lambda: stop.urgent)
