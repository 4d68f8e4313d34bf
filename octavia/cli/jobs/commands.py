"""``octavia jobs``: the jobs of a running service, over its HTTP API."""

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal

from octavia import private
from octavia.cli import console, fields
from octavia.cli.options import From, Glossary, Input, Replace, Revoice, Speakers, Text, Track, Voice
from octavia.cli.printable import in_a_line
from octavia.jobs.tables.states import Background, JobStatus, JobType, Priority, Stage
from octavia.links import LOCAL_URL
from octavia.text import glossaries

if TYPE_CHECKING:
    from pydantic import BaseModel

    from octavia.client import Octavia
    from octavia.client.calls import JobId

app = typer.Typer(no_args_is_help=True, help="Submit jobs to a running service; watch, edit and download them.")

Url = Annotated[str, typer.Option(envvar="OCTAVIA_URL", help="Address of the service.")]
ApiKey = Annotated[
    str | None, typer.Option(envvar="OCTAVIA_API_KEY", help="API key, if the service requires one.", show_default=False)
]
Job = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.", show_default=False)]
Folder = Annotated[
    Path | None, typer.Option("--download", metavar="DIR", help="Download the results into DIR when the job has ended.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Watch the job until it ends.")]


@app.command()
def submit(
    file: Input = None,
    type_: Annotated[JobType, typer.Option("--type", "-t", help="Kind of job.")] = JobType.DUB,
    to: Annotated[str | None, typer.Option("--to", help="Language to translate into.", show_default=False)] = None,
    source: From = "auto",
    track: Track = None,
    text: Text = None,
    input_url: Annotated[str | None, typer.Option(help="URL of a recording for the service to fetch.")] = None,
    voice: Voice = None,
    speaker: Speakers = None,
    formats: Annotated[str | None, typer.Option(help="Audio formats, comma-separated.")] = None,
    speed: Annotated[float | None, typer.Option(help="Speaking rate, 0.25 to 4; 1 is natural.")] = None,
    revoice: Revoice = False,
    background: Annotated[
        Background | None, typer.Option(help="The original sound under a dub.", show_default=False)
    ] = None,
    background_level: Annotated[float | None, typer.Option(help="Level of the background, -60 to 0 dB.")] = None,
    replace_audio: Replace = False,
    beam_size: Annotated[int | None, typer.Option(help="Beam size of recognition, 1 to 10; larger is slower.")] = None,
    vocabulary: Annotated[str | None, typer.Option(help="Words that may occur in the recording.")] = None,
    glossary: Glossary = None,
    max_line_length: Annotated[int | None, typer.Option(help="Characters in a line of subtitles, 20 to 100.")] = None,
    priority: Annotated[Priority, typer.Option(help="Priority among waiting jobs.")] = Priority.NORMAL,
    metadata: Annotated[str | None, typer.Option(help='Your own data: a JSON object such as {"order": 7}.')] = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start the job, or only upload its input.")] = True,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Your own id for this submission: repeating it returns the same job.")
    ] = None,
    wait: Wait = False,
    download: Folder = None,
    json: console.Json = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Submit a job and print its id; --wait watches it to its end, --download then fetches the results."""
    if wait and not start:
        console.usage_error("A job that is not started never ends.", hint="Leave --wait or --no-start out.")
    check_download(download, wait=wait)
    submission: dict[str, Any] = {
        "source_language": source,
        "target_language": to,
        "audio_track": track,
        "voice": voice,
        "voices": fields.voices_of(speaker),
        "formats": formats.split(",") if formats else None,
        "speed": speed,
        "revoice": revoice or None,
        **fields.original_sound(background, background_level, replace_audio=replace_audio),
        "beam_size": beam_size,
        "vocabulary": vocabulary,
        "glossary": glossary and glossaries.read(glossary),
        "max_line_length": max_line_length,
        "priority": priority.value,
        "metadata": fields.metadata_of(metadata),
        "start": None if start else False,
        **fields.input_of(type_, file, text, input_url),
    }
    with client_of(url, api_key) as octavia:
        job = octavia.submit(type_.value, idempotency_key=idempotency_key, **submission)
        if not wait:
            print_models(job) if json else typer.echo(str(job.id))
            return
        console.err().print(f"Job {job.id}", markup=False)
        watch_job(octavia, job.id, download, json=json)


@app.command("list")
def list_jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs with this status.", show_default=False)] = None,
    type_: Annotated[
        JobType | None, typer.Option("--type", "-t", help="Only jobs of this kind.", show_default=False)
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only jobs with this metadata; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs.")] = 20,
    json: console.Json = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """List jobs, newest first."""
    wanted = dict(fields.pair_of(given) for given in metadata or ())
    filters: dict[str, Any] = {"status": status and status.value, "type": type_ and type_.value, "metadata": wanted}
    with client_of(url, api_key) as octavia:
        jobs = list(octavia.list(limit=limit, **filters))
    if json:
        print_models(*jobs, many=True)
        return
    table = console.table("id", "type", "status", "done", "languages", "input", "submitted")
    for job in jobs:
        languages = f"{job.source_language} → {job.target_language}" if job.target_language else job.source_language
        submitted = job.created_at.strftime("%Y-%m-%d %H:%M")
        done = f"{job.progress:.0%}"
        table.add_row(str(job.id), job.type, job.status, done, languages, job.input.filename, submitted)
    console.print_table(table)


@app.command()
def show(job_id: Job, json: console.Json = False, url: Url = LOCAL_URL, api_key: ApiKey = None) -> None:
    """Show the status of a job, its expected end, its error if it failed, and its files."""
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
            typer.echo(f"{name:<19} {in_a_line(value)}")
    for artifact in artifacts:
        typer.echo(f"{'file':<19} {in_a_line(artifact.name)}  {decimal(artifact.size)}")


@app.command()
def logs(job_id: Job, json: console.Json = False, url: Url = LOCAL_URL, api_key: ApiKey = None) -> None:
    """Show what happened to a job, in order: each attempt, how long it waited and took, and why it was repeated."""
    from octavia.cli.jobs.story import table_of

    with client_of(url, api_key) as octavia:
        entries = list(octavia.log(job_id))
    if json:
        print_models(*entries, many=True)
    else:
        console.print_table(table_of(entries))


@app.command()
def watch(
    job_id: Job, download: Folder = None, json: console.Json = False, url: Url = LOCAL_URL, api_key: ApiKey = None
) -> None:
    """Watch a job until it ends, even across restarts of the service. Ctrl-C leaves the job running."""
    with client_of(url, api_key) as octavia:
        watch_job(octavia, octavia.get(job_id).id, download, json=json)


@app.command()
def cancel(job_id: Job, json: console.Json = False, url: Url = LOCAL_URL, api_key: ApiKey = None) -> None:
    """Cancel a job."""
    with client_of(url, api_key) as octavia:
        job = octavia.cancel(job_id)
    ending = "is canceled" if job.status == JobStatus.CANCELED else "stops as soon as its worker learns of it"
    print_models(job) if json else typer.echo(f"{job.id} {ending}.")


@app.command()
def retry(
    job_id: Job,
    stage: Annotated[
        Stage | None, typer.Option("--from", help="Redo this stage and all later ones.", show_default=False)
    ] = None,
    wait: Wait = False,
    download: Folder = None,
    json: console.Json = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Run a job again: its unfinished tasks, or everything from one stage on."""
    check_download(download, wait=wait)
    with client_of(url, api_key) as octavia:
        job = octavia.retry(job_id, from_stage=stage and stage.value)
        if wait:
            watch_job(octavia, job.id, download, json=json)
            return
    print_models(job) if json else typer.echo(f"{job.id} runs again: run {job.run}.")


@app.command()
def download(
    job_id: Job,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of files, as `octavia jobs show` lists them; if not given, all.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path(),
    revision: Annotated[
        int | None, typer.Option(min=1, help="Revision of the results; if not given, the newest.")
    ] = None,
    json: console.Json = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Download the results of a job. Run the command again to resume an interrupted download."""
    with client_of(url, api_key) as octavia:
        saved = _download(octavia, job_id, names, out, revision)
    if json:
        console.print_json([str(path) for path in saved])
    else:
        _files(saved)


@app.command()
def delete(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB…")], url: Url = LOCAL_URL, api_key: ApiKey = None
) -> None:
    """Delete jobs and their files; a running job is canceled first."""
    with client_of(url, api_key) as octavia:
        for job_id in job_ids:
            octavia.delete(job_id)
            typer.echo(f"{job_id} is deleted.")


def client_of(url: str, api_key: str | None) -> "Octavia":
    """Connect to the service that the command line names."""
    from octavia.client import Octavia

    # Few retries, so that a wrong address is soon reported; watching a job has a patience of its own.
    return Octavia(url, api_key, retries=2)


def check_download(folder: Path | None, *, wait: bool) -> None:
    """Refuse ``--download`` without ``--wait``."""
    if folder is not None and not wait:
        console.usage_error("There is nothing to download before the job ends.", hint="Add --wait.")


def watch_job(octavia: "Octavia", job_id: "JobId", folder: Path | None, *, json: bool) -> None:
    """Show the progress of a job until it ends, and download its results into ``folder`` unless that is None.

    Leave with an error code unless the job completed.
    """
    from octavia.cli.jobs.watch import watch_to_end

    try:
        job = watch_to_end(octavia, job_id)
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


@private.as_given()
def _download(
    octavia: "Octavia", job_id: "JobId", names: Sequence[str] | None, folder: Path, revision: int | None = None
) -> list[Path]:
    from octavia.client.downloads import find_artifact

    folder.mkdir(parents=True, exist_ok=True)
    made = octavia.artifacts(job_id, revision)
    return [
        octavia.download(job_id, one, folder) for one in ([find_artifact(made, name) for name in names or ()] or made)
    ]


def _files(saved: Sequence[Path]) -> None:
    for path in saved:
        typer.echo(f"{in_a_line(path)}  {decimal(path.stat().st_size)}")


def print_models(*answers: "BaseModel", many: bool = False) -> None:
    """Print answers of the service as JSON: one object, or with ``many`` a list."""
    shown = [answer.model_dump(mode="json") for answer in answers]
    console.print_json(shown if many else shown[0])
