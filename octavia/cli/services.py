"""``octavia serve | worker | scheduler``: the processes of a service, each in the foreground."""

import socket
from typing import Annotated

import typer

from octavia.cli import console
from octavia.errors import Unavailable
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings, get_settings


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (serve, worker, scheduler):
        app.command()(command)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on; if not given, OCTAVIA_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; if not given, OCTAVIA_PORT.")] = None,
    workers: Annotated[
        bool, typer.Option("--workers/--no-workers", help="Embedded: run the workers too.", hidden=True)
    ] = True,
) -> None:
    """Serve the HTTP API; without OCTAVIA_BROKER_URL with workers beside it, over SQLite and a local folder."""
    settings = get_settings()
    settings = settings.model_copy(update={"host": host or settings.host, "port": port or settings.port})
    check_address(settings)
    if settings.embedded and workers:
        from octavia.cli.local.embedded import run

        run(settings)
        return
    _serve(settings)


def worker(
    queues: Annotated[
        str, typer.Option(help=f"Some of {', '.join(Queue)}, comma-separated; if not given, all.", show_default=False)
    ] = ",".join(Queue),
    slots: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes per queue; if not given, OCTAVIA_WORKER_SLOTS.")
    ] = None,
) -> None:
    """Work for queues of RabbitMQ: one process per queue and slot, replaced whenever one ends."""
    settings = get_settings()
    chosen = _queues(queues)
    if settings.embedded:
        console.usage_error(
            "No broker is configured.",
            "no_broker",
            "Set OCTAVIA_BROKER_URL=amqp://…; without a broker `octavia serve` runs its own workers.",
        )
    from octavia.worker.supervisor import Supervisor

    Supervisor(settings, chosen, slots or settings.worker_slots).run()


def scheduler() -> None:
    """Start the periodic work, such as removing results that have expired, when it is due."""
    from octavia.worker.scheduler import run

    run(get_settings())


def _serve(settings: Settings) -> None:
    from octavia import observability
    from octavia.api import server
    from octavia.web import create_app

    observability.configure(settings)
    server.run(create_app(settings), settings)


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


def check_address(settings: Settings) -> None:
    """Refuse, before anything starts, an address that must not be served or that is taken.

    Raises:
      InputError: ``host_not_allowed``.
      Unavailable: ``port_in_use``.
    """
    from octavia.api.binding import check_host

    check_host(settings)
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        # As the server itself will do it: a port that only lingers after its last user is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(
                f"The address {settings.host}:{settings.port} cannot be served: {error.strerror}.",
                code="port_in_use",
                hint="Stop what uses it, or set OCTAVIA_PORT to another.",
            ) from error
