"""``octavia dead-letters``: inspect, requeue or delete the messages that no worker could process."""

import json as json_module
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.filesize import decimal

from octavia.brokers.readable import escaped, plain
from octavia.cli import console
from octavia.cli.configuration import get_settings
from octavia.cli.database import operator
from octavia.errors import Unavailable
from octavia.jobs.tables.states import Queue

if TYPE_CHECKING:
    from octavia.brokers.dead_letter_queues import DeadLetterQueues
    from octavia.brokers.dead_letters import DeadLetter

app = typer.Typer(no_args_is_help=True, help="List, show, requeue and purge messages that no worker could process.")

OneQueue = Annotated[Queue | None, typer.Option("--queue", help="Only this queue.", show_default=False)]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids from list.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All of them, instead of ids.")]

_SHOWN_BYTES = 4000
_UNKNOWN = "?"


@app.command("list")
def list_letters(
    queue: OneQueue = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of messages.")] = 100,
    json: console.Json = False,
) -> None:
    """List dead letters and their jobs, oldest first in each queue. This changes nothing."""
    queues = _queues()
    counts = queues.counts(queue)
    letters = queues.look(counts, limit)
    jobs = _jobs(letters)
    if json:
        console.print_json([_summary(letter, jobs) for letter in letters])
    else:
        _table(letters, jobs)
    if len(letters) < (total := sum(counts.values())):
        console.err().print(f"Showing {len(letters)} of {total}.")


@app.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="Id from list.")], json: console.Json = False
) -> None:
    """Show a dead letter: its queue, the reason, its headers, and the beginning of its body."""
    queues = _queues()
    found = queues.find(queues.counts(), letter)
    summary = _summary(found, _jobs([found]))
    headers = {escaped(name): plain(value) for name, value in found.headers.items()}
    body, whole = escaped(found.body[:_SHOWN_BYTES]), len(found.body) <= _SHOWN_BYTES
    if json:
        console.print_json(summary | {"headers": headers, "body": body, "body_is_whole": whole})
        return
    for name, value in summary.items():
        if value is not None:
            console.say(f"{name.replace('_', ' '):<12} {decimal(value) if name == 'size' else value}")
    console.say("headers")
    for name, value in headers.items():
        console.say(f"  {name}: {value if isinstance(value, str) else json_module.dumps(value, ensure_ascii=False)}")
    console.say("body" if whole else f"body, the first {_SHOWN_BYTES} bytes")
    console.say(f"  {body}")


@app.command()
def requeue(
    ids: Ids = None,
    everything: All = False,
    queue: OneQueue = None,
    force: Annotated[bool, typer.Option("--force", help="Also messages that this release cannot read.")] = False,
    json: console.Json = False,
) -> None:
    """Put dead letters back on their queues, for example once their cause is fixed."""
    from octavia.brokers import dead_letter_orders as orders
    from octavia.brokers.dead_letter_queues import missing_letters
    from octavia.cli.database import opened

    queues = _queues()
    wanted = _wanted(ids, everything)
    with opened() as database:
        done = orders.requeue(database, queues, orders.Order(queue, wanted), by=operator(), force=force)
    if json:
        console.print_json({"requeued": done.ids, "left": done.left})
    else:
        console.say(f"{_letters(len(done.ids))} requeued.")
    if done.missing:
        raise missing_letters(done.missing)
    if done.left:
        console.show_error(
            f"{_letters(len(done.left))} not requeued: this release cannot read them.",
            "not_a_message",
            "octavia dead-letters show ID shows one; --force requeues it anyway.",
        )
        raise typer.Exit(console.FAILED)


@app.command()
def purge(
    ids: Ids = None,
    everything: All = False,
    queue: OneQueue = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    json: console.Json = False,
) -> None:
    """Delete dead letters permanently. No job is lost: the database has its tasks too."""
    from octavia.brokers import dead_letter_orders as orders
    from octavia.brokers.dead_letter_queues import missing_letters
    from octavia.cli.database import opened

    queues = _queues()
    order = orders.Order(queue, _wanted(ids, everything))
    number = orders.look(queues, order).count
    if number and not yes:
        if not sys.stdin.isatty():
            console.usage_error(
                "stdin is not a terminal to ask for confirmation.", hint="--yes deletes without asking."
            )
        typer.confirm(f"Delete {_letters(number)}?", abort=True, err=True)
    with opened() as database:
        done = orders.purge(database, queues, order if yes else replace(order, expected=number), by=operator())
    if json:
        console.print_json({"purged": done.ids})
    else:
        console.say(f"{_letters(len(done.ids))} deleted.")
    if done.missing:
        raise missing_letters(done.missing)


def _queues() -> "DeadLetterQueues":
    settings = get_settings()
    if settings.embedded:
        console.usage_error(
            "Without a broker there are no dead letters.",
            "no_broker",
            "Set OCTAVIA_BROKER_URL if you use RabbitMQ. Without it, unreadable messages are dropped and logged as "
            "message_rejected. For failed jobs: octavia jobs list --status failed.",
        )
    from octavia.brokers.dead_letter_queues import DeadLetterQueues
    from octavia.cli.broker import quiet_pika

    quiet_pika()
    return DeadLetterQueues(settings)


def _wanted(ids: list[str] | None, everything: bool) -> frozenset[str] | None:
    if bool(ids) == everything:
        console.usage_error("Give ids or --all." if not ids else "Give either ids or --all.")
    return None if everything else frozenset(ids or ())


def _jobs(letters: Iterable["DeadLetter"]) -> dict[UUID, str]:
    """The status of the jobs of these letters; a question mark if the database does not answer."""
    from octavia.cli.database import opened
    from octavia.jobs.tables import queries

    named = {letter.job_id for letter in letters if letter.job_id}
    if not named:
        return {}
    try:
        with opened() as database:
            found = queries.statuses(database, named)
    except Unavailable as error:
        console.show_error(error.message, error.code, "Jobs are shown without their status.")
        return dict.fromkeys(named, _UNKNOWN)
    return {job_id: found[job_id].value if job_id in found else "gone" for job_id in named}


def _summary(letter: "DeadLetter", jobs: Mapping[UUID, str]) -> dict[str, Any]:
    job = letter.job_id
    return {
        "id": letter.id,
        "queue": letter.queue.value,
        "lies_on": letter.name,
        "died_at": letter.died_at.astimezone(UTC).isoformat(timespec="seconds") if letter.died_at else None,
        "reason": escaped(letter.reason),
        "release": escaped(letter.release) if letter.release else None,
        "size": len(letter.body),
        "actor": escaped(letter.message.actor_name) if letter.message else None,
        "job": str(job) if job else None,
        "job_status": jobs[job] if job else None,
    }


def _table(letters: Iterable["DeadLetter"], jobs: Mapping[UUID, str]) -> None:
    table = console.table("id", "queue", "died", "size", "job", "status", "reason")
    for letter in letters:
        job = letter.job_id
        died = letter.died_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if letter.died_at else _UNKNOWN
        table.add_row(
            letter.id,
            letter.queue.value,
            died,
            decimal(len(letter.body)),
            str(job or ""),
            jobs[job] if job else "",
            escaped(letter.reason),
        )
    console.print_table(table)


def _letters(number: int) -> str:
    return f"{number} dead letter{'' if number == 1 else 's'}"
