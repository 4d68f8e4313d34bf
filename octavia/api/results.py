"""What a job made: ``/transcript.{…}``, ``/translation.{…}``, ``/audio.{…}``, ``/artifacts``, streamed from storage."""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote
from uuid import UUID

from anyio import CancelScope
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from octavia.api.answers import answer, job_id_of
from octavia.api.identity import owner
from octavia.api.operations import operation
from octavia.api.ranges import Span, is_unchanged, wanted_span
from octavia.api.schemas import ArtifactListOut, ArtifactOut
from octavia.api.services import Services, services
from octavia.errors import Conflict, NotFound
from octavia.jobs import queries
from octavia.jobs.database import Database
from octavia.jobs.keys import Scope
from octavia.jobs.queries import ArtifactRecord
from octavia.jobs.records import JobRecord
from octavia.jobs.states import JobStatus

_BLOCK = 256 * 1024
_DOWNLOAD: Mapping[int, str | None] = {200: "application/octet-stream", 206: "application/octet-stream", 304: None}
_WAIT_FOR_IT = "Wait for it: see its status, or POST to /process with Prefer: wait=60."
_HINTS = {
    JobStatus.PENDING: "Start it: POST to /process.",
    JobStatus.QUEUED: _WAIT_FOR_IT,
    JobStatus.PROCESSING: _WAIT_FOR_IT,
    JobStatus.FAILED: "See its error, mend that, and POST to /retry.",
    JobStatus.CANCELED: "Submit it again, or POST to /retry.",
}


@operation("List a job's results", scope=Scope.READ, answers={200: ArtifactListOut})
async def list_artifacts(request: Request) -> Response:
    """``GET /jobs/{job_id}/artifacts``: what there is to download; nothing while the job has not completed."""
    job_id = job_id_of(request)
    found = await services(request).db(_all, job_id, owner(request))
    return answer(ArtifactListOut(artifacts=[ArtifactOut.of(job_id, artifact) for artifact in found]))


@operation("Download a result", scope=Scope.READ, answers=_DOWNLOAD)
async def artifact(request: Request) -> Response:
    """``GET /jobs/{job_id}/artifacts/{name}``: one of them, under its own name."""
    return await _download(request, request.path_params["name"])


@operation("Download what was said", scope=Scope.READ, answers=_DOWNLOAD)
async def transcript(request: Request) -> Response:
    """``GET /jobs/{job_id}/transcript.{format}``."""
    return await _download(request, f"transcript.{request.path_params['format']}")


@operation("Download the translation", scope=Scope.READ, answers=_DOWNLOAD)
async def translation(request: Request) -> Response:
    """``GET /jobs/{job_id}/translation.{format}``."""
    return await _download(request, f"translation.{request.path_params['format']}")


@operation("Download the voice track", scope=Scope.READ, answers=_DOWNLOAD)
async def audio(request: Request) -> Response:
    """``GET /jobs/{job_id}/audio.{format}``: the dub, in one of the formats that were asked for."""
    return await _download(request, f"dub.{request.path_params['format']}")


async def _download(request: Request, name: str) -> Response:
    parts = services(request)
    job, found = await parts.db(_one, job_id_of(request), owner(request), name)
    etag = f'"{found.sha256}"'
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        # The same address shows another file once the job was run again: ask each time, by ETag.
        "cache-control": "private, no-cache",
        "content-disposition": _disposition(job, name),
    }
    if is_unchanged(request.headers, etag):
        return Response(status_code=304, headers=headers)
    part = wanted_span(request.headers, found.size, etag)
    span = part or Span(0, found.size)
    headers["content-length"] = str(span.end - span.start)
    if part:
        headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{found.size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=found.media_type)
    blocks = await _read(parts, found, span)
    return StreamingResponse(blocks, status, headers=headers, media_type=found.media_type)


async def _read(parts: Services, found: ArtifactRecord, span: Span) -> AsyncIterator[bytes]:
    """The bytes of a span, block by block; what is missing shows before the answer begins."""
    file = await parts.io(parts.storage.open, found.storage_key)

    async def blocks() -> AsyncIterator[bytes]:
        left = span.end - span.start
        try:
            await parts.io(file.seek, span.start)
            while left > 0:
                block = await parts.io(file.read, min(_BLOCK, left))
                if not block:
                    raise EOFError(f"{found.storage_key} is shorter than it was")
                left -= len(block)
                yield block
        finally:
            with CancelScope(shield=True):
                await parts.io(file.close)

    return blocks()


def _all(db: Database, job_id: UUID, owner: str) -> tuple[ArtifactRecord, ...]:
    job = queries.get(db, job_id, owner)
    _check_not_expired(job)
    return queries.artifacts(db, job_id)


def _one(db: Database, job_id: UUID, owner: str, name: str) -> tuple[JobRecord, ArtifactRecord]:
    """A result of a job, and the job.

    Raises:
      NotFound: There is no such job, or it made no such thing.
      Conflict: ``not_ready``: it has made nothing yet; or ``expired``.
    """
    job = queries.get(db, job_id, owner)
    _check_not_expired(job)
    if job.revision == 0:  # a job that runs again still has the results of the time before
        raise Conflict(f"The job is {job.status}.", code="not_ready", hint=_HINTS[job.status])
    return job, queries.artifact(db, job_id, name)


def _check_not_expired(job: JobRecord) -> None:
    if queries.expired(job):
        raise NotFound(
            "The results have expired.",
            code="expired",
            hint="Submit the recording again; OCTAVIA_RETENTION_DAYS says how long results are kept.",
        )


def _disposition(job: JobRecord, name: str) -> str:
    """Save it under the name of the recording: ``talk.transcript.srt``."""
    stem = job.input["filename"].rpartition(".")[0] or job.input["filename"]
    plain = "".join(letter if letter.isascii() and letter not in '"\\%' else "_" for letter in stem)
    return f"attachment; filename=\"{plain}.{name}\"; filename*=UTF-8''{quote(stem, safe='')}.{name}"
