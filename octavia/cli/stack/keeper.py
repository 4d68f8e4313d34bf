"""The process behind ``octavia up``: runs the API, the workers, the scheduler and, if private, RabbitMQ.

``python -m octavia.cli.stack.keeper VAR``, with the settings in the environment.
"""

import argparse
import os
from pathlib import Path

import structlog

from octavia import observability, programs
from octavia.background import Turns, keep_on
from octavia.cli.broker import Place, connection_error
from octavia.cli.stack.record import Identity, ServiceRecord
from octavia.settings import Settings, get_settings
from octavia.worker.processes import Keeper, KeptProcess
from octavia.worker.signals import StopSignal
from rabbitmq.node import Node, Ports

_TICK = 0.5
# Seconds beyond the grace period of tasks, in which the supervisor ends its workers and itself.
_MARGIN = 10.0
_COMMANDS = {"api": "serve", "workers": "worker", "scheduler": "scheduler"}

logger = structlog.get_logger()


class Service:
    """All processes of one ``octavia up``; ``node`` is None if it uses a RabbitMQ that was running already."""

    def __init__(self, settings: Settings, var: Path, place: Place, node: Node | None) -> None:
        self._settings = settings
        self._var = var
        self._place = place
        self._node = node
        self._keeper = Keeper(
            KeptProcess(
                name,
                programs.module("octavia", command),
                env=settings.beside(place).environment(),
                output=var / "log" / f"{name}.log",
            )
            for place, (name, command) in enumerate(_COMMANDS.items())
        )
        self._noted: dict[str, Identity] | None = None

    def run(self) -> None:
        """Run all processes until a signal to stop; then stop them, RabbitMQ last."""
        with StopSignal() as stop:
            self._note()
            if self._node:
                self._node.start()
                # The other processes could wait for it too, but would log many errors.
                while not stop.wait(_TICK) and connection_error(self._place.urls[0]):
                    self._node.poll()
            keep_on(Turns("keeper", longest=2.0), self._turn, ended=lambda: stop.wait(_TICK), wait=stop.wait)
            logger.info("service_stopping")
            self._keeper.stop(self._settings.stop_grace_seconds + _MARGIN, lambda: stop.urgent)
            if self._node:
                self._node.stop()
        ServiceRecord.path(self._var).unlink(missing_ok=True)
        logger.info("service_stopped")

    def _turn(self) -> None:
        if self._node:
            self._node.poll()
        self._keeper.poll(0)
        self._note()

    def _note(self) -> None:
        """Record the running processes for ``octavia down``, which needs this most if this process was killed."""
        pids = {kept.name: kept.pid for kept in self._keeper.processes}
        if self._node:
            pids["rabbitmq"] = self._node.pid
        found = {name: identity for name, pid in pids.items() if pid and (identity := Identity.of(pid))}
        if found == self._noted:
            return
        myself = Identity.of(os.getpid())
        assert myself is not None
        record = ServiceRecord(
            keeper=myself,
            api=self._settings.url,
            broker=self._place.shown,
            console=self._place.console,
            private=self._place.private,
            processes=found,
        )
        try:
            record.save(self._var)
        except OSError as error:  # a full disk must not stop the service; the next tick tries again
            logger.warning("not_written_down", reason=str(error))
        else:
            self._noted = found


def main() -> None:
    """Run the service of the arguments."""
    parser = argparse.ArgumentParser(prog="octavia.cli.stack.keeper")
    parser.add_argument("var", type=Path, help="folder for logs, record and RabbitMQ's data")
    parser.add_argument("--console-port", type=int, help="of RabbitMQ")
    parser.add_argument("--private", action="store_true", help="start and keep RabbitMQ as well")
    options = parser.parse_args()
    settings = get_settings()
    observability.configure(settings)
    place = Place(settings.brokers, options.private, options.console_port)
    node = None
    if options.private:
        ports = Ports.near(place.port, options.console_port)
        node = Node(options.var / "rabbitmq", ports, output=options.var / "log" / "rabbitmq.log")
    Service(settings, options.var, place, node).run()


if __name__ == "__main__":
    main()
