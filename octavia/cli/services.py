"""``octavia serve | worker | scheduler``: the processes of a service, each in the foreground."""

import os
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from octavia import garbage
from octavia.cli import console
from octavia.cli.configuration import get_settings
from octavia.jobs.tables.states import Queue

if TYPE_CHECKING:
    from octavia.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; if not given, OCTAVIA_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; if not given, OCTAVIA_PORT.")] = None,
    workers: Annotated[
        bool, typer.Option("--workers/--no-workers", help="Without a broker: start the workers too.", hidden=True)
    ] = True,
    sockets: Annotated[
        list[int] | None, typer.Option("--socket", help="A socket that the parent process passes.", hidden=True)
    ] = None,
) -> None:
    """Serve the HTTP API. Without OCTAVIA_BROKER_URL it also runs the workers, with SQLite and a local folder."""
    settings = get_settings()
    settings = settings.model_copy(update={"host": host or settings.host, "port": port or settings.port})
    if settings.embedded and workers:
        _serve_with_workers(settings)
        return
    # With --no-workers it is the child of a process that has warned.
    _begin(settings, "api", warn=workers)
    if not settings.embedded:
        _refuse_wrong_settings(settings)
    with garbage.left_alone():
        from octavia import temporary
        from octavia.api import listening, server
        from octavia.web import create_app

    settings, listeners = (settings, listening.passed(sockets)) if sockets else listening.opened(settings)
    with temporary.below(settings.data_dir):
        server.run(create_app(settings), settings, listeners, beat=_beat() if sockets else lambda: None)


def worker(
    queues: Annotated[
        str, typer.Option(help=f"Some of {', '.join(Queue)}, comma-separated; if not given, all.", show_default=False)
    ] = ",".join(Queue),
    slots: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes per queue; if not given, OCTAVIA_WORKER_SLOTS.")
    ] = None,
) -> None:
    """Run workers for RabbitMQ's queues: one process per queue and slot, restarted when it ends."""
    settings = get_settings()
    chosen = _queues(queues)
    if settings.embedded:
        console.usage_error(
            "No broker is configured.",
            "no_broker",
            "Set OCTAVIA_BROKER_URL=amqp://…; without a broker `octavia serve` runs its own workers.",
        )
    with garbage.left_alone():
        from octavia.worker import fork_server
        from octavia.worker.supervisor import Supervisor

    # First of all: the server has what this process has by then.
    with fork_server.running() as server:
        _begin(settings, "supervisor")
        Supervisor(settings, chosen, slots or settings.worker_slots, server=server).run()


def scheduler() -> None:
    """Start periodic work when it is due, such as removing expired results."""
    from octavia.worker.scheduler import run

    settings = get_settings()
    _begin(settings, "scheduler")
    run(settings)


def _serve_with_workers(settings: "Settings") -> None:
    with garbage.left_alone():
        from octavia.api import listening
        from octavia.cli.local.serve import run
        from octavia.worker import fork_server

    with fork_server.running() as server:
        _begin(settings, "supervisor")
        settings, listeners = listening.opened(settings)
        run(settings, listeners, server)


def _beat() -> Callable[[], None]:
    """Return what tells the parent, which keeps this process, that it serves."""
    from octavia.worker.pipes import REPORT_FD

    report = int(os.environ[REPORT_FD])
    os.set_inheritable(report, False)
    os.set_blocking(report, False)

    def beat() -> None:
        # A parent that does not read yet must not hold up this process.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(report, b"{}\n")

    return beat


def _begin(settings: "Settings", role: str, *, warn: bool = True) -> None:
    """Configure the log and the traces, and warn of data that others can reach.

    Raises ``InputError`` (``invalid_setting``) if traces are wanted and cannot be sent.
    """
    from octavia import observability, tracing
    from octavia.cli import exposure

    observability.configure(settings)
    tracing.configure(settings, role)
    if warn:
        exposure.warn(settings)


def _refuse_wrong_settings(settings: "Settings") -> None:
    """Raise ``Unavailable`` for what the API could wait for in vain, such as a wrong password; log what is away.

    Raises ``InputError`` (``invalid_setting``) if the files for TLS cannot be used.
    """
    from octavia.brokers.rabbit import RabbitBroker
    from octavia.jobs.tables.database import Database
    from octavia.worker.starting import refuse_wrong_settings

    # The broker is made first: that reads the files for TLS, which can be wrong while every service is away.
    with closing(RabbitBroker(settings, [])) as broker, closing(Database.of(settings)) as database:
        refuse_wrong_settings("database", database.check)
        refuse_wrong_settings("broker", broker.check)


def _queues(given: str) -> list[Queue]:
    names = [part.strip() for part in given.split(",") if part.strip()]
    unknown = [name for name in names if name not in list(Queue)]
    if unknown or not names:
        console.usage_error(
            f"Unknown queue: {', '.join(unknown)}." if unknown else "No queue is given.",
            "unknown_queue",
            f"Choose from {', '.join(Queue)}.",
        )
    return [Queue(name) for name in dict.fromkeys(names)]
