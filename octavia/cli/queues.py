"""``octavia queues``: what waits in each queue, and pausing, draining and resuming its workers."""

from typing import TYPE_CHECKING, Annotated

import typer

from octavia.cli import console
from octavia.cli.configuration import get_settings
from octavia.cli.database import opened, operator
from octavia.cli.pauses import described
from octavia.cli.printable import in_a_line
from octavia.jobs.tables.states import PauseMode, Queue

if TYPE_CHECKING:
    from octavia.jobs.status.queues import QueueState
    from octavia.jobs.tables.pauses import PauseRecord

app = typer.Typer(no_args_is_help=True, help="List queues; pause, drain and resume their workers.")

OneQueue = Annotated[Queue | None, typer.Argument(help="If not given, every queue of the host.", show_default=False)]
Host = Annotated[
    str | None, typer.Option(help="Only the workers of this host, as `hostname` names it there.", show_default=False)
]
Everything = Annotated[bool, typer.Option("--all", help="All queues on all hosts.")]
Reason = Annotated[str, typer.Option(help="For others who see the pause.", show_default=False)]


@app.command("list")
def list_queues(json: console.Json = False) -> None:
    """List the queues: what waits and runs, who works on it, and the pauses in force."""
    from octavia.jobs.status import queues
    from octavia.jobs.tables.pauses import list_pauses

    with opened() as database:
        states, pauses = queues.read(database, get_settings().patience), list_pauses(database)
    if json:
        console.print_json(
            {"queues": [_summary(state) for state in states], "pauses": [_fields(one) for one in pauses]}
        )
        return
    table = console.table("queue", "waiting", "running", "to retry", "oldest", "workers", "state")
    for state in states:
        table.add_row(
            state.queue.value,
            str(state.depth),
            str(state.running),
            str(state.waiting_retry),
            f"{state.oldest_seconds:.0f} s" if state.depth else "",
            str(state.workers),
            _state(state),
        )
    console.print_table(table)
    for pause in pauses:
        console.say(described(pause))


@app.command()
def pause(queue: OneQueue = None, host: Host = None, everything: Everything = False, reason: Reason = "") -> None:
    """Have workers take no more tasks, within two seconds. They finish those in hand, and keep their models loaded."""
    _order(queue, host, everything, reason, PauseMode.PAUSE)


@app.command()
def drain(queue: OneQueue = None, host: Host = None, everything: Everything = False, reason: Reason = "") -> None:
    """Have worker processes end after the task in hand, and stay away until resumed, as to upgrade their host."""
    _order(queue, host, everything, reason, PauseMode.DRAIN)


@app.command()
def resume(queue: OneQueue = None, host: Host = None, everything: Everything = False) -> None:
    """End a pause or drain: the one of exactly this queue and host."""
    from octavia.jobs.operations import pauses
    from octavia.jobs.tables.pauses import list_pauses

    _check(queue, host, everything)
    with opened() as database:
        ended = pauses.resume_named(database, queue, host, by=operator())
        others = [one for one in list_pauses(database) if _overlap(one, ended)]
    console.say(f"{in_a_line(pauses.target_of(ended.queue, ended.host))}: resumed.")
    for other in others:
        console.err().print(f"Still in force: {described(other)}", markup=False, soft_wrap=True)


def _order(queue: Queue | None, host: str | None, everything: bool, reason: str, mode: PauseMode) -> None:
    from octavia.jobs.operations import pauses
    from octavia.jobs.status.workers import list_workers

    _check(queue, host, everything)
    with opened() as database:
        made = pauses.pause(database, queue, host, mode, reason=reason, by=operator())
        known = {worker.host for worker in list_workers(database)}
    console.say(described(made))
    if host is not None and host not in known:
        hosts = f" Known hosts: {', '.join(map(in_a_line, sorted(known)))}." if known else ""
        said = f"No worker of that host is known; it holds for those that start there.{hosts}"
        console.err().print(said, markup=False, soft_wrap=True)


def _check(queue: Queue | None, host: str | None, everything: bool) -> None:
    if everything is not (queue is None and host is None):
        console.usage_error("Give a queue, --host or both, or --all." if not everything else "Give --all alone.")


def _overlap(one: "PauseRecord", other: "PauseRecord") -> bool:
    return all("" in pair or pair[0] == pair[1] for pair in ((one.queue, other.queue), (one.host, other.host)))


def _state(state: "QueueState") -> str:
    if not state.pauses:
        return ""
    drained = any(pause.mode is PauseMode.DRAIN for pause in state.pauses)
    return ("drained" if drained else "paused") + ("" if state.standing else " in part")


def _summary(state: "QueueState") -> dict[str, object]:
    return {
        "name": state.queue.value,
        "depth": state.depth,
        "running": state.running,
        "waiting_retry": state.waiting_retry,
        "oldest_seconds": round(state.oldest_seconds, 3),
        "workers": state.workers,
        "state": _state(state) or "open",
    }


def _fields(pause: "PauseRecord") -> dict[str, object]:
    return {
        "id": str(pause.id),
        "queue": pause.queue or None,
        "host": pause.host or None,
        "mode": pause.mode.value,
        "reason": pause.reason,
        "by": pause.by,
        "created_at": pause.created_at.isoformat(timespec="seconds"),
    }
