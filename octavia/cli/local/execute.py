"""Run one order to its end with workers of this process, and report the result."""

import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console

from octavia import garbage, observability, temporary, tracing
from octavia.cli import console
from octavia.cli.local.extra_subtitles import ExtraSubtitles
from octavia.cli.local.order import Order
from octavia.cli.local.progress import StageBars
from octavia.cli.local.redirect import redirect_output
from octavia.cli.local.summary import SILENT, Summary
from octavia.cli.local.workspace import Workspace
from octavia.cli.printable import in_a_line, printable
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims
from octavia.jobs.status import workers
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobStatus
from octavia.local import OWNER, LocalService
from octavia.settings import Settings, get_settings

if TYPE_CHECKING:
    from octavia.worker.fork_server import ForkServer

LOG = "workers.log"


def execute_and_print(order: Order, *, slots: int | None, json: bool) -> int:
    """Carry out the translation of a text and print it, with no files left; return the exit code."""
    with temporary.below(get_settings().data_dir), TemporaryDirectory(prefix="octavia-") as folder:
        return execute(order, Path(folder), slots=slots, restart=False, json=json, extras=ExtraSubtitles(), keep=False)


def execute(
    order: Order,
    out: Path,
    *,
    slots: int | None,
    restart: bool,
    json: bool,
    extras: ExtraSubtitles,
    fail_on_silence: bool = False,
    keep: bool = True,
) -> int:
    """Carry out an order, show its progress and print the results; return the exit code.

    Without ``slots``, the settings give the most worker processes; a short text needs none. With ``fail_on_silence``, a
    recording without speech has the exit code of a failure. Without ``keep``, nothing in ``out`` outlives the call: the
    translated text itself is printed, and no file is named. Raises as ``Workspace.opened``.
    """
    began = time.monotonic()
    processes = 0 if order.short else slots or get_settings().worker_slots
    with _fork_server(processes) as server, Workspace.opened(out, order, restart=restart) as workspace:
        settings = _local(workspace.make_state())
        log = workspace.state / LOG
        try:
            with _sigterm_as_ctrl_c(), redirect_output(log) as terminal, temporary.below(settings.data_dir):
                observability.configure(settings)
                tracing.configure(settings, "local")
                if workspace.job_id:
                    _forget_workers(settings)
                with LocalService(settings, slots=processes, server=server) as service:
                    job = _begin(service, workspace, order, terminal)
                    job = _watch(service, job, terminal)
                    made = extras.write(service.export(job.id, out), out) if job.status == JobStatus.COMPLETED else []
                    summary = Summary.of(service, job, made, wall=time.monotonic() - began)
        except KeyboardInterrupt:
            if not keep:
                workspace.clear()
            _say_how_to_resume(workspace)
            return console.INTERRUPTED
        # A run that failed before its first chunk has nothing to resume from, nor has a short text.
        if job.status == JobStatus.COMPLETED or job.chunks_total is None or job.in_one_piece or not keep:
            workspace.clear()
    completed = job.status == JobStatus.COMPLETED
    if json:
        text: dict[str, object] = {"files": [], "translation": summary.translation if completed else None}
        console.print_json(summary.to_dict() | ({} if keep else text))
        if summary.silent:
            console.err().print(SILENT)
    elif completed:
        if keep:
            summary.show(console.out())
        else:
            summary.show_text(console.out(), console.err())
    if completed:
        return console.FAILED if summary.silent and fail_on_silence else console.DONE
    _explain(job, workspace)
    return console.FAILED


def _fork_server(processes: int) -> AbstractContextManager["ForkServer | None"]:
    """A fork server for so many worker processes. It comes before all else that this process has by then."""
    if not processes:
        return nullcontext()
    with garbage.left_alone():
        # The supervisor, too, because most of what it needs worker processes need as well.
        from octavia.worker import fork_server, supervisor  # noqa: F401

    return fork_server.running()


def _local(state: Path) -> Settings:
    """The user's settings, but with database, broker and storage in this folder."""
    return get_settings().model_copy(
        update={
            "data_dir": state.absolute(),
            "database_url": "",
            "broker_url": "",
            "storage_url": "",
            # Short, because a person waits at the terminal and can look at a fault that lasts longer.
            "retry_delays": (1.0, 5.0, 15.0),
        }
    )


def _forget_workers(settings: Settings) -> None:
    """End the leases of the workers of an earlier run at once; none of them runs, since this process holds the lock."""
    with closing(Database.of(settings)) as database:
        database.upgrade()
        for worker in workers.list_workers(database):
            claims.expire_leases(database, worker=worker.id, max_attempts=settings.max_attempts)
            workers.remove(database, worker.id)


def _begin(service: LocalService, workspace: Workspace, order: Order, terminal: Console) -> JobRecord:
    """Resume the job of this folder, or submit a new one."""
    if workspace.job_id:
        job = queries.get(service.database, workspace.job_id, OWNER)
        terminal.print(f"Going on where the last run stopped ({job.progress:.0%} done).")
        if job.status in (JobStatus.FAILED, JobStatus.CANCELED):
            job = submit.retry(service.database, job.id, OWNER)
        return job
    span = tracing.begin("submit", {"octavia.type": order.type.value})
    new = NewJob(order.type, order.source, order.target, order.options)
    job = service.submit(new, order.given, order.format)
    workspace.remember(job.id)
    span.note({"octavia.job_id": str(job.id)})
    span.end()
    return job


def _watch(service: LocalService, job: JobRecord, terminal: Console) -> JobRecord:
    try:
        with StageBars(terminal) as bars:
            return service.wait(job.id, bars.show)
    except KeyboardInterrupt:
        terminal.print("Stopping …")
        raise


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` on SIGTERM too: both stop the run and keep finished work."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _say_how_to_resume(workspace: Workspace) -> None:
    command = printable(shlex.join(["octavia", *sys.argv[1:]]))
    if workspace.job_id:
        console.err().print(f"\nStopped. What is done is kept; go on with:\n  {command}", markup=False, soft_wrap=True)
    else:
        workspace.clear()
        console.err().print("\nStopped before anything was done.")


def _explain(job: JobRecord, workspace: Workspace) -> None:
    if job.error:
        console.show_error(job.error.message, job.error.code, job.error.hint)
    else:
        console.show_error("The job was canceled.", "canceled")
    if workspace.state.exists():
        console.err().print(
            f"What is done is kept; the same command tries again. The workers' log: {in_a_line(workspace.state / LOG)}",
            markup=False,
            soft_wrap=True,
        )
