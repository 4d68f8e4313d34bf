"""``octavia jobs utterances`` and ``edit``: read what is said in a job line by line, and mend a line."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from octavia.cli import console
from octavia.cli.jobs.commands import (
    LOCAL,
    ApiKey,
    Folder,
    Job,
    Json,
    Url,
    check_download,
    client_of,
    follow_job,
    print_models,
)

_FIELDS = ("source", "translation", "voice", "start", "end")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (utterances, edit):
        app.command()(command)


def utterances(job_id: Job, json: Json = False, url: Url = LOCAL, api_key: ApiKey = None) -> None:
    """Show what is said in a completed job, line by line, each with the id by which it is mended."""
    from rich.table import Table
    from rich.text import Text

    from octavia.cli.local.summary import clock

    with client_of(url, api_key) as octavia:
        found = octavia.utterances(job_id)
    if json:
        print_models(found)
        return
    out = console.out()
    if not out.is_terminal:
        for one in found.utterances:
            typer.echo("\t".join((one.id, one.source, one.translation or "")))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("id", "time", "mended"):
        table.add_column(heading, no_wrap=True)
    for heading in ("source", "translation"):
        table.add_column(heading, overflow="fold", ratio=1)
    for one in found.utterances:
        time = "" if one.start is None or one.end is None else f"{clock(one.start)} – {clock(one.end)}"
        mended = ", ".join(one.edited) + (" …" if one.pending else "")
        cells = (one.id, time, mended, one.source, one.translation or "")
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table)


def edit(
    job_id: Job,
    utterance_id: Annotated[
        str | None, typer.Argument(metavar="UTTERANCE", help="As `octavia jobs utterances` names it.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="What is said; it is translated and spoken anew.")] = None,
    translation: Annotated[str | None, typer.Option(help="What the dub says; empty: silence.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice that speaks it.")] = None,
    start: Annotated[float | None, typer.Option(help="When it begins, in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="When it ends, in seconds.")] = None,
    reset: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="Take back what was mended of it; may be given again.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help='Several edits: {"utterances": [{"id": "0-3", "translation": "…"}]}; - for stdin.'),
    ] = None,
    revision: Annotated[
        int | None, typer.Option(help="Only if the job is still at this one, and nothing else is pending.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job to its end.")] = False,
    download: Folder = None,
    json: Json = False,
    url: Url = LOCAL,
    api_key: ApiKey = None,
) -> None:
    """Mend lines of a completed job. It runs again, and redoes only what that touches."""
    check_download(download, wait=wait)
    given: dict[str, Any] = {"source": source, "translation": translation, "voice": voice, "start": start, "end": end}
    given = {name: value for name, value in given.items() if value is not None}
    for name in reset or ():
        if name not in _FIELDS:
            console.usage_error(f"An utterance has no {name}.", hint=f"It has {', '.join(_FIELDS)}.")
        given[name] = None
    if (utterance_id is None) == (file is None) or (file is not None and given):
        console.usage_error(
            "Give one utterance and what is mended of it, or a file.",
            hint='For example: octavia jobs edit JOB 0-3 --translation "Hola."',
        )
    edits: dict[str, Any] = _read(file) if file is not None else {str(utterance_id): given}
    with client_of(url, api_key) as octavia:
        job = octavia.edit(job_id, edits, etag="*" if revision is None else f'"{revision}"')
        if wait:
            follow_job(octavia, job.id, download, json=json)
            return
    print_models(job) if json else typer.echo(f"{job.id} runs again: run {job.run}.")


def _read(file: Path) -> dict[str, Any]:
    """The edits of a file, by utterance."""
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text("utf-8-sig")
        rows = json_module.loads(text)["utterances"]
        edits: dict[str, Any] = {
            row["id"]: {name: value for name, value in row.items() if name != "id"} for row in rows
        }
    except (OSError, UnicodeDecodeError) as error:
        console.usage_error(f"{file} cannot be read: {error}.", "file_unreadable")
    except (ValueError, TypeError, KeyError):
        console.usage_error(
            f"{file} is no list of edits.",
            "bad_json",
            'It is a JSON object such as {"utterances": [{"id": "0-3", "translation": "Hola."}]}.',
        )
    if len(edits) < len(rows):
        console.usage_error(f"{file} names an utterance more than once.", hint="Give each once.")
    return edits
