"""``octavia jobs``: the jobs of a running service, over its HTTP API."""

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from octavia.cli import console
from octavia.cli import fields as job_fields
from octavia.jobs.tables.states import Background, JobStatus, JobType, Priority, Stage
from octavia.text import glossaries

if TYPE_CHECKING:
    from pydantic import BaseModel

    from octavia.client import Octavia
    from octavia.client.calls import JobId

app = typer.Typer(no_args_is_help=True, help="Submit jobs to a running service, and follow, steer and download them.")

Url = Annotated[str, typer.Option(envvar="OCTAVIA_URL", help="Where the service is.")]
ApiKey = Annotated[
    str | None, typer.Option(envvar="OCTAVIA_API_KEY", help="A key, if the service asks for one.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Job = Annotated[str, typer.Argument(metavar="JOB", help="Its id.", show_default=False)]
Folder = Annotated[
    Path | None, typer.Option("--download", metavar="DIR", help="At the end, fetch what it made into DIR.")
]

LOCAL = "http://127.0.0.1:8000"
_PIPED_WIDTH = 200
_RETRIES = 2
"""Somebody waits at the terminal to hear that the address is wrong; what follows a job is patient all the same."""


@app.command()
def submit(
    file: Annotated[
        Path | None, typer.Argument(help="A recording, a text file, or - for text on stdin.", show_default=False)
    ] = None,
    type_: Annotated[JobType, typer.Option("--type", "-t", help="What to make of it.")] = JobType.DUB,
    to: Annotated[str | None, typer.Option("--to", help="Language to translate into.", show_default=False)] = None,
    source: Annotated[str, typer.Option("--from", help="Language spoken or written; 'auto' listens.")] = "auto",
    text: Annotated[str | None, typer.Option("--text", help="The text itself, instead of a file.")] = None,
    input_url: Annotated[str | None, typer.Option(help="Where the service fetches a recording, instead.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice to speak with.")] = None,
    speaker: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VOICE", help="A voice for one speaker of subtitles.", show_default=False),
    ] = None,
    formats: Annotated[str | None, typer.Option(help="Audio formats, comma-separated.")] = None,
    speed: Annotated[float | None, typer.Option(help="Speaking rate, 0.25 to 4; 1 is natural.")] = None,
    revoice: Annotated[bool, typer.Option("--revoice", help="Keep the language, speak it with another voice.")] = False,
    background: Annotated[Background | None, typer.Option(help="The original under a dub.", show_default=False)] = None,
    background_level: Annotated[float | None, typer.Option(help="How loud that is, -60 to 0 dB.")] = None,
    replace_audio: Annotated[bool, typer.Option("--replace-audio", help="Leave a film's own sound out.")] = False,
    beam_size: Annotated[int | None, typer.Option(help="How widely speech is searched, 1 to 10.")] = None,
    vocabulary: Annotated[str | None, typer.Option(help="Words that the recording may have.")] = None,
    glossary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What terms become: JSON, or .csv or .tsv.", show_default=False)
    ] = None,
    max_line_length: Annotated[int | None, typer.Option(help="Columns of a subtitle's line, 20 to 100.")] = None,
    priority: Annotated[Priority, typer.Option(help="Among those that wait.")] = Priority.NORMAL,
    metadata: Annotated[str | None, typer.Option(help='Yours: a JSON object such as {"a": 1}.')] = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Or only upload.")] = True,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same makes the same job, however often this command runs.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    download: Folder = None,
    json: Json = False,
    url: Url = LOCAL,
    api_key: ApiKey = None,
) -> None:
    """Submit a job, and print its id; with --wait follow it, with --download fetch what it made."""
    if wait and not start:
        console.usage_error("A job that is not started does not end.", hint="Leave --wait or --no-start out.")
    check_download(download, wait=wait)
    fields = job_fields.submission(
        source_language=source,
        target_language=to,
        voice=voice,
        voices=job_fields.voices_of(speaker),
        formats=formats.split(",") if formats else None,
        speed=speed,
        revoice=revoice or None,
        **job_fields.of_original(background, background_level, replace_audio=replace_audio),
        beam_size=beam_size,
        vocabulary=vocabulary,
        glossary=glossary and glossaries.read(glossary),
        max_line_length=max_line_length,
        priority=priority.value,
        metadata=job_fields.metadata_of(metadata),
        start=None if start else False,
        **job_fields.input_of(type_, file, text, input_url),
    )
    with client_of(url, api_key) as octavia:
        job = octavia.submit(type_.value, idempotency_key=idempotency_key, **fields)
        if not wait:
            print_models(job) if json else typer.echo(str(job.id))
            return
        console.err().print(f"Job {job.id}", markup=False)
        follow_job(octavia, job.id, download, json=json)


@app.command("list")
def list_jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only such.", show_default=False)] = None,
    type_: Annotated[JobType | None, typer.Option("--type", "-t", help="Only such.", show_default=False)] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only those that have it; may be given again.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    json: Json = False,
    url: Url = LOCAL,
    api_key: ApiKey = None,
) -> None:
    """List jobs, newest first."""
    from rich.table import Table

    wanted = dict(job_fields.pair_of(given) for given in metadata or ())
    filters: dict[str, Any] = {"status": status and status.value, "type": type_ and type_.value, "metadata": wanted}
    with client_of(url, api_key) as octavia:
        jobs = list(octavia.list(limit=limit, **filters))
    if json:
        print_models(*jobs, many=True)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "type", "status", "done", "languages", "input", "submitted"):
        table.add_column(heading, no_wrap=True)
    for job in jobs:
        languages = f"{job.source_language} → {job.target_language}" if job.target_language else job.source_language
        submitted = job.created_at.strftime("%Y-%m-%d %H:%M")
        done = f"{job.progress:.0%}"
        table.add_row(str(job.id), job.type, job.status, done, languages, job.input.filename, submitted)
    out = console.out()
    if not out.is_terminal:
        out.width = _PIPED_WIDTH  # for grep, not for eyes: nothing is cut off
    out.print(table, markup=False)


@app.command()
def show(job_id: Job, json: Json = False, url: Url = LOCAL, api_key: ApiKey = None) -> None:
    """Show a job: how far it is, when it will be done, what went wrong, and the files it made."""
    with client_of(url, api_key) as octavia:
        job = octavia.get(job_id)
        if json:
            print_models(job)
            return
        status = octavia.status(job_id)
        artifacts = () if job.expired else octavia.artifacts(job_id)
    lines = {
        "id": str(job.id),
        "type": job.type,
        "status": job.status + (f", {job.stage}" if job.stage else ""),
        "done": f"{job.progress:.0%}",
        "place in the queue": status.queue_position,
        "expected": None if status.expected_seconds is None else f"in {status.expected_seconds:.0f} s",
        "run": job.run,
        "from": job.source_language,
        "to": job.target_language,
        "input": job.input.filename,
        "submitted": job.created_at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "expires": job.expires_at and job.expires_at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "metadata": json_module.dumps(job.metadata, ensure_ascii=False) if job.metadata else None,
        "error": job.error and f"{job.error.message} ({job.error.code})",
        "hint": job.error and job.error.hint,
    }
    for name, value in lines.items():
        if value is not None:
            typer.echo(f"{name:<19} {value}")
    for artifact in artifacts:
        typer.echo(f"{'file':<19} {artifact.name}  {console.size(artifact.size)}")


@app.command()
def watch(job_id: Job, download: Folder = None, json: Json = False, url: Url = LOCAL, api_key: ApiKey = None) -> None:
    """Follow a job to its end, through restarts of the service too. Ctrl-C leaves the job running."""
    with client_of(url, api_key) as octavia:
        follow_job(octavia, octavia.get(job_id).id, download, json=json)


@app.command()
def cancel(job_id: Job, json: Json = False, url: Url = LOCAL, api_key: ApiKey = None) -> None:
    """Cancel a job that has not ended."""
    with client_of(url, api_key) as octavia:
        job = octavia.cancel(job_id)
    ending = "is canceled" if job.status == JobStatus.CANCELED else "stops as soon as its worker has heard of it"
    print_models(job) if json else typer.echo(f"{job.id} {ending}.")


@app.command()
def retry(
    job_id: Job,
    stage: Annotated[
        Stage | None, typer.Option("--from", help="Redo this stage and all after it.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    download: Folder = None,
    json: Json = False,
    url: Url = LOCAL,
    api_key: ApiKey = None,
) -> None:
    """Run a job again: what is not completed, or all from a stage on."""
    check_download(download, wait=wait)
    with client_of(url, api_key) as octavia:
        job = octavia.retry(job_id, from_stage=stage and stage.value)
        if wait:
            follow_job(octavia, job.id, download, json=json)
            return
    print_models(job) if json else typer.echo(f"{job.id} runs again: run {job.run}.")


@app.command()
def download(
    job_id: Job,
    names: Annotated[
        list[str] | None, typer.Argument(help="Files, as `octavia jobs show` names them; else all.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for them.")] = Path(),
    revision: Annotated[int | None, typer.Option(min=1, help="An earlier one; if not given, the newest.")] = None,
    json: Json = False,
    url: Url = LOCAL,
    api_key: ApiKey = None,
) -> None:
    """Download what a job made. What broke off is gone on from by the same command."""
    with client_of(url, api_key) as octavia:
        saved = _download(octavia, job_id, names, out, revision)
    if json:
        _print_json([str(path) for path in saved])
    else:
        _files(saved)


@app.command()
def delete(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB…")], url: Url = LOCAL, api_key: ApiKey = None
) -> None:
    """Delete jobs and all that they made; one that runs is canceled."""
    with client_of(url, api_key) as octavia:
        for job_id in job_ids:
            octavia.delete(job_id)
            typer.echo(f"{job_id} is deleted.")


def client_of(url: str, api_key: str | None) -> "Octavia":
    """A client of the service that the command line names."""
    from octavia.client import Octavia

    return Octavia(url, api_key, retries=_RETRIES)


def check_download(folder: Path | None, *, wait: bool) -> None:
    """Refuse to download what nobody waits for."""
    if folder is not None and not wait:
        console.usage_error("There is nothing to download before the end.", hint="Add --wait.")


def follow_job(octavia: "Octavia", job_id: "JobId", folder: Path | None, *, json: bool) -> None:
    """Show a job's way to its end, say what came of it, and leave with the code for that."""
    from octavia.cli.jobs.following import follow

    try:
        job = follow(octavia, job_id)
    except KeyboardInterrupt:
        console.err().print(
            f"\nThe job goes on.\n  octavia jobs watch {job_id}\n  octavia jobs cancel {job_id}",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(console.INTERRUPTED) from None
    completed = job.status == JobStatus.COMPLETED
    saved = _download(octavia, job.id, None, folder) if completed and folder is not None else []
    if json:
        print_models(job)
    elif saved:
        _files(saved)
    elif completed:
        typer.echo(f"{job.id} is completed.")
    if not completed:
        if job.error:
            console.show_error(job.error.message, job.error.code, job.error.hint)
        else:
            console.show_error(f"The job is {job.status}.", job.status)
        raise typer.Exit(console.FAILED)


def _download(
    octavia: "Octavia", job_id: "JobId", names: Sequence[str] | None, folder: Path, revision: int | None = None
) -> list[Path]:
    from octavia.client.downloads import named

    folder.mkdir(parents=True, exist_ok=True)
    made = octavia.artifacts(job_id, revision)
    return [octavia.download(job_id, one, folder) for one in ([named(made, name) for name in names or ()] or made)]


def _files(saved: Sequence[Path]) -> None:
    for path in saved:
        typer.echo(f"{path}  {console.size(path.stat().st_size)}")


def print_models(*answers: "BaseModel", many: bool = False) -> None:
    """Print what the service answered, for programs."""
    shown = [answer.model_dump(mode="json") for answer in answers]
    _print_json(shown if many else shown[0])


def _print_json(value: Any) -> None:
    typer.echo(json_module.dumps(value, ensure_ascii=False, indent=2))
