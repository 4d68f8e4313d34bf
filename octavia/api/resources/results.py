"""A job's results: transcript, translation, ``/bilingual.{…}``, ``/audio.{…}``, ``/video`` and ``/artifacts``."""

import functools
import hashlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from anyio import CancelScope
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.checks import job_id_of, validate
from octavia.api.http.downloads import File, in_memory, name_for, send, stored
from octavia.api.http.identity import owner
from octavia.api.http.operations import operation
from octavia.api.http.paths import root_of
from octavia.api.resources import archives
from octavia.api.resources.rendering import Kind, RevisionRequest, TextRequest, render
from octavia.api.schemas.answers import ArtifactListOut, ArtifactOut
from octavia.errors import Conflict, NotFound
from octavia.jobs.access.keys import Scope
from octavia.jobs.status import partial
from octavia.jobs.tables import contents, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import JobStatus
from octavia.storage import gone
from octavia.subtitles import MEDIA_TYPES, SUBTITLE_FORMATS
from octavia.text.filenames import VIDEO

_PROBLEMS = ("invalid_job_id", "job_not_found", "not_ready", "expired", "artifact_missing")
FILE_PROBLEMS = (*_PROBLEMS, "artifact_not_found", "range_not_satisfiable")
_TEXT_PROBLEMS = ("unknown_field", "invalid_field", "not_applicable")
_WAIT_FOR_IT = "Wait for it: see its status, or POST to /process with Prefer: wait=60."
_HINTS = {
    JobStatus.PENDING: "Start it: POST to /process.",
    JobStatus.QUEUED: _WAIT_FOR_IT,
    JobStatus.PROCESSING: _WAIT_FOR_IT,
    JobStatus.FAILED: "See its error, correct the cause, and POST to /retry.",
    JobStatus.CANCELED: "Submit it again, or POST to /retry.",
}

_result_operation = functools.partial(operation, tag="Results", scope=Scope.READ, query=RevisionRequest)
_file_operation = functools.partial(
    _result_operation,
    answers={200: "*/*", 206: "*/*", 304: None},
    problems=FILE_PROBLEMS,
    headers=("Range", "If-None-Match"),
)
_text_operation = functools.partial(_file_operation, query=TextRequest, problems=(*FILE_PROBLEMS, *_TEXT_PROBLEMS))


@_result_operation(
    "List a job's results",
    answers={200: ArtifactListOut},
    problems=("invalid_job_id", "job_not_found", "expired"),
)
async def list_artifacts(request: Request) -> Response:
    """``GET /jobs/{job_id}/artifacts``: all downloads; parts of results if the job failed or was canceled."""
    job_id, revision = job_id_of(request), _revision(request)
    found = await context_of(request).db(_with_partial, job_id, owner(request), revision)
    root = root_of(request)
    return answer(ArtifactListOut(artifacts=[ArtifactOut.of(job_id, one, root, of_revision=revision) for one in found]))


@_file_operation("Download a result")
async def artifact(request: Request) -> Response:
    """``GET /jobs/{job_id}/artifacts/{name}``: one result, by its name."""
    return await download(request, request.path_params["name"], _revision(request))


@_result_operation(
    "Download all results",
    answers={200: archives.MEDIA_TYPE, 304: None},
    problems=_PROBLEMS,
    headers=("If-None-Match",),
)
async def archive(request: Request) -> Response:
    """``GET /jobs/{job_id}/artifacts.zip``: all results in one file, made while it is sent."""
    context = context_of(request)
    job, found = await context.db(_every, job_id_of(request), owner(request), _revision(request))
    name, etag = name_for(job, "zip"), archives.etag(found)
    file = File(name, archives.MEDIA_TYPE, etag, None, lambda _: _read_archive(context, found))
    return await send(request, file)


@_text_operation("Download the transcript")
async def transcript(request: Request) -> Response:
    """``GET /jobs/{job_id}/transcript.{format}``."""
    return await _text(request, "transcript")


@_text_operation("Download the translation")
async def translation(request: Request) -> Response:
    """``GET /jobs/{job_id}/translation.{format}``."""
    return await _text(request, "translation")


@_text_operation("Download subtitles in both languages")
async def bilingual(request: Request) -> Response:
    """``GET /jobs/{job_id}/bilingual.{format}``: subtitles in both languages, the original above the translation."""
    return await _text(request, "bilingual")


@_file_operation("Download the voice track")
async def audio(request: Request) -> Response:
    """``GET /jobs/{job_id}/audio.{format}``: the dub, in one of the job's formats."""
    return await download(request, f"dub.{request.path_params['format']}", _revision(request))


def _revision(request: Request) -> int | None:
    return validate(RevisionRequest, dict(request.query_params)).revision


@_file_operation("Download the film")
async def video(request: Request) -> Response:
    """``GET /jobs/{job_id}/video``: the film with the dub, in its original container."""
    revision = _revision(request)
    _, found = await context_of(request).db(_every, job_id_of(request), owner(request), revision)
    named = [artifact.name for artifact in found if artifact.name.startswith(f"{VIDEO}.")]
    return await download(request, named[0] if named else VIDEO, revision)


async def _text(request: Request, kind: Kind) -> Response:
    """Send a transcript, a translation, or both; a file that the job did not write is made now."""
    format = request.path_params["format"]
    query = validate(TextRequest, dict(request.query_params))
    if query.is_stored(kind, format):
        return await download(request, f"{kind}.{format}", query.revision)
    context, job_id = context_of(request), job_id_of(request)
    source_kind = "transcript" if kind == "transcript" else "translation"
    # A job without this file has no times for subtitles.
    needed = f"{source_kind}.srt" if format in SUBTITLE_FORMATS else f"{kind}.{format}"
    job, _ = await context.db(_one, job_id, owner(request), needed, query.revision)
    source = await context.db(queries.artifact, job_id, f"{source_kind}.json", query.revision)
    data = await context.io(
        render,
        context.storage,
        source,
        query,
        kind=kind,
        format=format,
        source_language=job.source_language,
        max_line_length=job.options.get("max_line_length"),
    )
    digest = hashlib.sha256(data).hexdigest()
    file = File(name_for(job, f"{kind}.{format}"), MEDIA_TYPES[format], digest, len(data), in_memory(data))
    return await send(request, file)


async def download(request: Request, name: str, revision: int | None) -> Response:
    """Answer with a result of the request's job; ``revision`` None is the current one. Raises as ``with_results``."""
    context = context_of(request)
    job, found = await context.db(_one, job_id_of(request), owner(request), name, revision)
    read = stored(context, found)
    return await send(
        request, File(name_for(job, name.replace("/", ".")), found.media_type, found.sha256, found.size, read)
    )


async def _read_archive(context: Context, found: Sequence[ArtifactRecord]) -> AsyncIterator[bytes]:
    """Return the blocks of the zip file; missing files are reported before the answer begins."""
    for artifact in found:
        if not await context.io(contents.exists, context.storage, artifact):
            raise gone(artifact.storage_key)

    async def blocks() -> AsyncIterator[bytes]:
        zipped = archives.archive(context.storage, found)
        try:
            while (block := await context.io(next, zipped, None)) is not None:
                if block:
                    yield block
        finally:
            with CancelScope(shield=True):
                await context.io(zipped.close)

    return blocks()


def _with_partial(db: Database, job_id: UUID, owner: str, revision: int | None) -> tuple[ArtifactRecord, ...]:
    """Return a job's results, and those of finished chunks if the job did not complete.

    Raises ``NotFound`` if there is no such job; or (``expired``) its results are gone.
    """
    job = queries.get(db, job_id, owner)
    check_not_expired(job)
    # Partial results belong to no revision.
    left = partial.artifacts(db, job_id) if revision is None else ()
    return (*queries.artifacts(db, job_id, revision), *left)


def _one(db: Database, job_id: UUID, owner: str, name: str, revision: int | None) -> tuple[JobRecord, ArtifactRecord]:
    """Return a job and one of its results.

    Raises:
      NotFound: There is no such job, or it has no such result; or (``expired``) its results are gone.
      Conflict: ``not_ready``: it has no results yet.
    """
    if name.startswith(partial.FOLDER):
        job = queries.get(db, job_id, owner)
        check_not_expired(job)
        return job, partial.artifact(db, job_id, name)
    job = with_results(db, job_id, owner)
    return job, queries.artifact(db, job_id, name, revision)


def _every(
    db: Database, job_id: UUID, owner: str, revision: int | None
) -> tuple[JobRecord, tuple[ArtifactRecord, ...]]:
    """Return a job and all results of a revision. Raises ``NotFound`` or ``Conflict`` as ``_one``."""
    job = with_results(db, job_id, owner)
    found = queries.artifacts(db, job_id, revision)
    if not found:
        raise NotFound(
            f"The job has no revision {revision}.",
            code="artifact_not_found",
            hint=f"It has the revisions 1 to {job.revision}.",
        )
    return job, found


def with_results(db: Database, job_id: UUID, owner: str) -> JobRecord:
    """Return a job that has results.

    Raises:
      NotFound: There is no such job; or (``expired``) its results are gone.
      Conflict: ``not_ready``.
    """
    job = queries.get(db, job_id, owner)
    check_not_expired(job)
    if job.revision == 0:  # a job that runs again still has its former results
        raise Conflict(f"The job is {job.status}.", code="not_ready", hint=_HINTS[job.status])
    return job


def check_not_expired(job: JobRecord) -> None:
    """Raise ``NotFound`` (``expired``) if a job's results are gone."""
    if job.expired:
        raise NotFound(
            "The results have expired.",
            code="expired",
            hint="Submit the recording again; OCTAVIA_RETENTION_DAYS says how long results are kept.",
        )
