"""``octavia dead-letters``: messages that no worker could use, looked at, put back to work, or deleted."""

import json as json_module
import sys
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from octavia.cli import console
from octavia.errors import Unavailable
from octavia.jobs.tables.states import Queue
from octavia.settings import get_settings

if TYPE_CHECKING:
    from octavia.brokers.dead_letter_queues import DeadLetterQueues
    from octavia.brokers.dead_letters import DeadLetter

app = typer.Typer(no_args_is_help=True, help="List, show, requeue and purge messages that no worker could use.")

Json = Annotated[bool, typer.Option("--json", help="For programs.")]
OneQueue = Annotated[Queue | None, typer.Option("--queue", help="Only of this queue.", show_default=False)]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As list shows them.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All that there are, instead.")]

_PIPED_WIDTH = 200
_SHOWN_BYTES = 4000
_UNKNOWN = "?"


@app.command("list")
def list_letters(
    queue: OneQueue = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """List dead letters, the oldest of each queue first, with the jobs they belong to. They stay where they are."""
    queues = _queues()
    counts = queues.counts(queue)
    letters = queues.look(counts, limit)
    jobs = _jobs(letters)
    if json:
        _print_json([_summary(letter, jobs) for letter in letters])
    else:
        _table(letters, jobs)
    if len(letters) < (total := sum(counts.values())):
        console.err().print(f"These are {len(letters)} of {total}.")


@app.command()
def show(letter: Annotated[str, typer.Argument(metavar="ID", help="As list shows it.")], json: Json = False) -> None:
    """Show a dead letter: where it was, why it died, its headers, and the beginning of what it says."""
    queues = _queues()
    found = queues.find(queues.counts(), letter)
    summary = _summary(found, _jobs([found]))
    headers = {_escaped(name): _plain(value) for name, value in found.headers.items()}
    body = _escaped(found.body[:_SHOWN_BYTES])
    if json:
        _print_json(summary | {"headers": headers, "body": body, "body_is_whole": len(found.body) <= _SHOWN_BYTES})
        return
    for name, value in summary.items():
        if value is not None:
            _say(f"{name.replace('_', ' '):<12} {console.size(value) if name == 'size' else value}")
    _say("headers")
    for name, value in headers.items():
        _say(f"  {name}: {value if isinstance(value, str) else json_module.dumps(value, ensure_ascii=False)}")
    _say("body" if len(found.body) <= _SHOWN_BYTES else f"body, the first {_SHOWN_BYTES} bytes")
    _say(f"  {body}")


@app.command()
def requeue(
    ids: Ids = None,
    everything: All = False,
    queue: OneQueue = None,
    force: Annotated[bool, typer.Option("--force", help="Also what this release cannot read.")] = False,
    json: Json = False,
) -> None:
    """Put dead letters back on their work queues, as when the fault that they died of has been mended."""
    queues = _queues()
    wanted = _wanted(ids, everything)
    done = queues.requeue(queues.counts(queue), wanted, force=force)
    if json:
        _print_json({"requeued": done.back, "left": done.left})
    else:
        _say(f"{_letters(done.back)} requeued.")
    if done.left:
        console.show_error(
            f"{_letters(done.left)} left: no messages of this release.",
            "not_a_message",
            "octavia dead-letters show ID tells what it is; --force puts it back all the same.",
        )
        raise typer.Exit(console.FAILED)


@app.command()
def purge(
    ids: Ids = None,
    everything: All = False,
    queue: OneQueue = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Delete dead letters for good. What they asked for is also in the database: no job is lost by it."""
    queues = _queues()
    wanted = _wanted(ids, everything)
    counts = queues.counts(queue)
    number = len(wanted) if wanted is not None else sum(counts.values())
    if number and not yes:
        if not sys.stdin.isatty():
            console.usage_error("Nobody is there to be asked.", hint="--yes deletes without asking.")
        typer.confirm(f"Delete {number} dead letter{'' if number == 1 else 's'}?", abort=True, err=True)
    gone = queues.purge(counts, wanted)
    if json:
        _print_json({"purged": gone})
    else:
        _say(f"{_letters(gone)} deleted.")


def _queues() -> "DeadLetterQueues":
    settings = get_settings()
    if settings.embedded:
        console.usage_error(
            "Without a broker there are no dead letters.",
            "no_broker",
            "What is no message of Octavia's is dropped there, and logged as message_rejected. Jobs that failed: "
            "octavia jobs list --status failed. With RabbitMQ, set OCTAVIA_BROKER_URL.",
        )
    from octavia.brokers.dead_letter_queues import DeadLetterQueues
    from octavia.cli.broker import hush_pika

    hush_pika()
    return DeadLetterQueues(settings)


def _wanted(ids: list[str] | None, everything: bool) -> Collection[str] | None:
    if bool(ids) == everything:
        console.usage_error("Give ids or --all." if not ids else "Give either ids or --all.")
    return None if everything else ids


def _jobs(letters: Iterable["DeadLetter"]) -> dict[UUID, str]:
    """How the jobs stand that these belong to."""
    from octavia.cli.database import opened
    from octavia.jobs.tables import queries

    named = {letter.job_id for letter in letters if letter.job_id}
    if not named:
        return {}
    try:
        with opened() as database:
            found = queries.statuses(database, named)
    except Unavailable as error:
        console.show_error(error.message, error.code, "The jobs are shown without their status.")
        return dict.fromkeys(named, _UNKNOWN)
    return {job_id: found[job_id].value if job_id in found else "gone" for job_id in named}


def _summary(letter: "DeadLetter", jobs: Mapping[UUID, str]) -> dict[str, Any]:
    job = letter.job_id
    return {
        "id": letter.id,
        "queue": letter.queue.value,
        "lies_on": letter.name,
        "died_at": letter.died_at.astimezone(UTC).isoformat(timespec="seconds") if letter.died_at else None,
        "reason": _escaped(letter.reason),
        "release": _escaped(letter.release) if letter.release else None,
        "size": len(letter.body),
        "actor": _escaped(letter.message.actor_name) if letter.message else None,
        "job": str(job) if job else None,
        "job_status": jobs[job] if job else None,
    }


def _table(letters: Iterable["DeadLetter"], jobs: Mapping[UUID, str]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("id", "queue", "died", "size", "job", "status", "reason"):
        table.add_column(heading, no_wrap=True)
    for letter in letters:
        job = letter.job_id
        died = letter.died_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if letter.died_at else _UNKNOWN
        table.add_row(
            letter.id,
            letter.queue.value,
            died,
            console.size(len(letter.body)),
            str(job or ""),
            jobs[job] if job else "",
            _escaped(letter.reason),
        )
    out = console.out()
    if not out.is_terminal:
        out.width = _PIPED_WIDTH  # for grep, not for eyes: nothing is cut off
    out.print(table, markup=False)


def _escaped(value: object) -> str:
    """Text in which nothing moves the cursor, rings or hides: what has no picture is written as its number."""
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _plain(value: object) -> Any:
    """A header's value as JSON has it."""
    match value:
        case dict():
            return {_escaped(name): _plain(part) for name, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case bool() | int() | float() | None:
            return value
        case datetime():
            return value.isoformat()
        case _:
            return _escaped(value)


def _letters(ids: Collection[str]) -> str:
    return f"{len(ids)} dead letter{'' if len(ids) == 1 else 's'}"


def _print_json(value: Any) -> None:
    typer.echo(json_module.dumps(value, ensure_ascii=False, indent=2))


def _say(text: str) -> None:
    console.out().print(text, soft_wrap=True, markup=False)
