"""``octavia jobs utterances | edit``: list the utterances of a job, and change them."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from octavia.cli import console
from octavia.cli.jobs import commands
from octavia.cli.jobs.commands import ApiKey, Folder, Job, Url, Wait
from octavia.links import LOCAL_URL

_FIELDS = ("source", "translation", "voice", "start", "end")


def utterances(job_id: Job, json: console.Json = False, url: Url = LOCAL_URL, api_key: ApiKey = None) -> None:
    """List the utterances of a completed job, with the ids that `octavia jobs edit` takes."""
    from rich.table import Column, Table
    from rich.text import Text

    with commands.client_of(url, api_key) as octavia:
        found = octavia.utterances(job_id)
    if json:
        commands.print_models(found)
        return
    out = console.out()
    if not out.is_terminal:
        for one in found.utterances:
            typer.echo("\t".join(" ".join(cell.split()) for cell in (one.id, one.source, one.translation or "")))
        return
    columns = [Column(heading, no_wrap=True) for heading in ("id", "time", "edited")]
    columns += [Column(heading, overflow="fold", ratio=1) for heading in ("source", "translation")]
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for one in found.utterances:
        time = "" if one.start is None or one.end is None else f"{console.clock(one.start)} – {console.clock(one.end)}"
        edited = ", ".join(one.edited) + (" …" if one.pending else "")
        cells = (one.id, time, edited, one.source, one.translation or "")
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table)


def edit(
    job_id: Job,
    utterance_id: Annotated[
        str | None, typer.Argument(metavar="UTTERANCE", help="Id from `octavia jobs utterances`.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="New words of the original; translated and spoken again.")] = None,
    translation: Annotated[str | None, typer.Option(help="New words of the dub; empty for silence.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice that speaks the utterance.")] = None,
    start: Annotated[float | None, typer.Option(help="Start time in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="End time in seconds.")] = None,
    reset: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="Undo the edits of this field; may be repeated.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help='Several edits: {"utterances": [{"id": "0-3", "translation": "…"}]}; - for stdin.'),
    ] = None,
    revision: Annotated[
        int | None, typer.Option(help="Refuse unless the job still has this revision and no other edit is pending.")
    ] = None,
    wait: Wait = False,
    download: Folder = None,
    json: console.Json = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Edit utterances of a completed job. The job runs again, and redoes only the parts that depend on them."""
    commands.check_download(download, wait=wait)
    given: dict[str, Any] = {"source": source, "translation": translation, "voice": voice, "start": start, "end": end}
    given = {name: value for name, value in given.items() if value is not None}
    for name in reset or ():
        if name not in _FIELDS:
            console.usage_error(f"An utterance has no {name}.", hint=f"It has {', '.join(_FIELDS)}.")
        given[name] = None
    if (utterance_id is None) == (file is None) or (file is not None and given):
        console.usage_error(
            "Give one utterance and its changes, or a file.",
            hint='For example: octavia jobs edit JOB 0-3 --translation "Hola."',
        )
    edits: dict[str, Any] = _read(file) if file is not None else {str(utterance_id): given}
    with commands.client_of(url, api_key) as octavia:
        job = octavia.edit(job_id, edits, etag="*" if revision is None else f'"{revision}"')
        if wait:
            commands.watch_job(octavia, job.id, download, json=json)
            return
    commands.print_models(job) if json else typer.echo(f"{job.id} runs again: run {job.run}.")


def _read(file: Path) -> dict[str, Any]:
    """Read the edits of a file, by the id of their utterance."""
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text("utf-8-sig")
        rows = json_module.loads(text)["utterances"]
        edits: dict[str, Any] = {
            row["id"]: {name: value for name, value in row.items() if name != "id"} for row in rows
        }
    except (OSError, UnicodeDecodeError) as error:
        console.usage_error(f"{file} cannot be read: {error}.", "file_unreadable")
    except (ValueError, TypeError, KeyError, RecursionError):
        console.usage_error(
            f"{file} is not a list of edits.",
            "bad_json",
            'Write a JSON object such as {"utterances": [{"id": "0-3", "translation": "Hola."}]}.',
        )
    if len(edits) < len(rows):
        console.usage_error(f"{file} names an utterance more than once.", hint="Give each once.")
    return edits
