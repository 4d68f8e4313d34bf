"""``octavia up | down``: start and stop the whole service on this machine, in the background."""

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from octavia import private, programs
from octavia.cli import console, exposure
from octavia.cli.address import check_address
from octavia.cli.configuration import get_settings
from octavia.cli.lock import exclusive
from octavia.cli.stack.record import ServiceRecord
from octavia.errors import Unavailable
from octavia.urls import shown

if TYPE_CHECKING:
    from octavia.settings import Settings

_READY_WITHIN = 120.0
_STOPPED_WITHIN = 90.0
_KILLED_AFTER = 5.0
_TICK = 0.2
_LOG_LINES = 15
_REMEDY = "Wait until it has ended."

Var = Annotated[Path, typer.Option(help="Folder for logs, state and RabbitMQ's data.")]


def up(var: Var = Path("var")) -> None:
    """Migrate the database, and start RabbitMQ if none answers, the API, the workers and the scheduler."""
    var = var.absolute()
    with exclusive(var / "run", remedy=_REMEDY):
        running = ServiceRecord.load(var)
        if running and running.up:
            console.out().print("Octavia is already up.")
            _describe(running, var)
            return
        if running:
            _sweep(running, var)
        running = _start(_settings(var), var)
    console.out().print("Octavia is up.")
    _describe(running, var)


def down(var: Var = Path("var")) -> None:
    """Stop the processes that `octavia up` started, and no others."""
    var = var.absolute()
    with exclusive(var / "run", remedy=_REMEDY):
        running = ServiceRecord.load(var)
        if running is None:
            console.out().print("Octavia is not up.")
            return
        names = ", ".join(running.processes)
        console.out().print(f"Stopping {names}; unfinished tasks go back to their queues.", soft_wrap=True)
        _stop(running, var)
        console.out().print("Octavia is down.")


def _settings(var: Path) -> "Settings":
    """The settings; data goes into ``var`` unless they name another folder."""
    settings = get_settings()
    if "data_dir" not in settings.model_fields_set:
        settings = settings.model_copy(update={"data_dir": var / "data"})
    return settings


def _start(settings: "Settings", var: Path) -> ServiceRecord:
    from octavia.cli.broker import choose
    from octavia.jobs.tables.database import Database

    say = console.out().print
    check_address(settings)
    for found in exposure.find(settings):
        # The processes say it too, but in logs.
        console.err().print(f"{found.detail}.\n  {found.remedy}", markup=False, soft_wrap=True)
    place = choose(settings)
    if place.private:
        _check_rabbitmq(place.shown)
    console_url = settings.console_url or place.console
    settings = settings.model_copy(update={"broker_url": ";".join(place.urls), "console_url": console_url})
    database = Database.of(settings)
    say(f"Migrating {shown(settings.database)}", soft_wrap=True)
    database.upgrade()
    database.close()
    say(f"RabbitMQ: {'starting a private node at' if place.private else 'using the one that answers at'} {place.shown}")
    command = programs.module("octavia.cli.stack.keeper", str(var))
    command += ["--console-port", str(place.console_port)] if place.console_port else []
    command += ["--private"] if place.private else []
    log = var / "log" / "keeper.log"
    private.make_folder(log.parent)
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            command,
            env=programs.environment(settings.environment()),
            cwd=programs.FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    say("Waiting for the API, the workers and the scheduler …")
    try:
        return _wait(keeper, settings, var)
    except BaseException:
        keeper.terminate()
        keeper.wait()
        raise


def _check_rabbitmq(where: str) -> None:
    """Raise ``Unavailable`` (``broker_unavailable``) before anything starts, if a private node cannot be started."""
    from rabbitmq.node import NodeError, check_installed

    try:
        check_installed()
    except NodeError as error:
        raise Unavailable(
            f"No RabbitMQ answers at {where}, and a private one cannot be started. {error}",
            code="broker_unavailable",
            hint="Install RabbitMQ, or set OCTAVIA_BROKER_URL to a running one; `octavia serve` works without.",
        ) from error


def _wait(keeper: "subprocess.Popen[bytes]", settings: "Settings", var: Path) -> ServiceRecord:
    """Wait until all processes run and ``/readyz`` answers 200.

    Raises ``Unavailable`` (``start_failed``), with the end of the logs, if that takes too long.
    """
    url = f"{settings.url}/readyz"
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and keeper.poll() is None:
        running = ServiceRecord.load(var)
        if running and len(running.left()) == len(running.processes) > 0 and _green(url):
            return running
        time.sleep(_TICK)
    raise Unavailable(
        "Octavia did not become ready.",
        code="start_failed",
        hint=f"The end of its logs in {var / 'log'}:\n{_tail(var)}",
    )


def _green(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _stop(running: ServiceRecord, var: Path) -> None:
    import psutil

    keeper = running.keeper.process()
    if keeper:
        keeper.terminate()
        try:
            keeper.wait(_STOPPED_WITHIN)
        except psutil.TimeoutExpired:
            keeper.kill()
            keeper.wait()
    _sweep(running, var)


def _sweep(running: ServiceRecord, var: Path) -> None:
    """End processes that a killed keeper left behind, and delete the record."""
    import psutil

    left = list(running.left().values())
    for process in left:
        process.terminate()
    _, stubborn = psutil.wait_procs(left, _KILLED_AFTER)
    for process in stubborn:
        process.kill()
    ServiceRecord.path(var).unlink(missing_ok=True)


def _describe(running: ServiceRecord, var: Path) -> None:
    broker = f"{running.broker} ({'a private node' if running.private else 'was already running'})"
    rows = {
        "API": running.api,
        "page": f"{running.api}/operator",
        "broker": broker,
        "console": f"{running.console} (guest / guest)" if running.console else "none answers",
        "logs": str(var / "log"),
    }
    for name, value in rows.items():
        console.say(f"  {name:<8} {value}")
    console.say(
        f"\nTry it:\n  curl -F file=@samples/sense_and_sensibility.flac -F type=dub -F target_language=es {running.api}"
        "/api/v1/jobs\nStop it:\n  make down"
    )


def _tail(var: Path) -> str:
    parts = []
    for log in sorted((var / "log").glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        parts.append("\n".join([f"--- {log.name}", *lines]))
    return "\n".join(parts)
