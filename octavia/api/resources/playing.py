"""``GET /jobs/{job_id}/audio``: a dub that plays while it is made."""

import json
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from octavia.api.context import Context, context_of
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import key_id, owner
from octavia.api.http.operations import operation
from octavia.api.live.hub import Hub, Watch, hub_of
from octavia.api.resources.results import FILE_PROBLEMS, check_not_expired, download
from octavia.errors import NotFound
from octavia.jobs.access.keys import Scope
from octavia.jobs.status import preview
from octavia.jobs.status.job_details import OPEN
from octavia.jobs.status.preview import SpokenChunk
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import EventRecord, JobRecord
from octavia.jobs.tables.states import Stage
from octavia.media import adts
from octavia.media.formats import FORMATS
from octavia.storage import Storage

_MEDIA_TYPE: Final = FORMATS[adts.FORMAT].media_type
_HEADERS: Final = {"cache-control": "no-store", "accept-ranges": "none"}


@operation(
    "Play a dub, while it is made too",
    tag="Results",
    scope=Scope.READ,
    answers={200: "*/*", 206: "*/*", 304: None},
    problems=FILE_PROBLEMS,
    headers=("Range", "If-None-Match"),
)
async def play(request: Request) -> Response:
    """``GET /jobs/{job_id}/audio``: the speech of a job that runs, as AAC, from its beginning and on as it is made.

    The stream ends when all is spoken, or the job fails, is canceled or deleted. Utterances begin about where those of
    the recording do; only the finished dub is exact, and mixed and leveled. Of a job that has completed, the answer is
    the dub in the first of its formats.
    """
    context = context_of(request)
    job = await context.db(queries.get, job_id_of(request), owner(request))
    check_not_expired(job)
    if Stage.SYNTHESIZE not in job.stages:
        hint = "Submit the recording as a job of the type dub."
        raise NotFound("This job speaks nothing.", code="artifact_not_found", hint=hint)
    if job.status not in OPEN:
        return await download(request, f"dub.{(job.options.get('formats') or ('wav',))[0]}", None)
    if request.method == "HEAD":
        return Response(headers=_HEADERS, media_type=_MEDIA_TYPE)
    sound = _sound(context, hub_of(request), job, key_id(request))
    return StreamingResponse(sound, headers=_HEADERS, media_type=_MEDIA_TYPE)


async def _sound(context: Context, hub: Hub, job: JobRecord, key: UUID | None) -> AsyncIterator[bytes]:
    """Yield one chunk's speech after the other; waiting holds neither a thread nor a database connection."""
    async with hub.watch(job.id, after=job.event_seq, key=key) as watch:
        chunk, played = 0, 0.0
        while not watch.gone:
            spoken = await context.db(preview.spoken_chunk, job.id, chunk)
            if spoken is None:
                if not await _news(watch):
                    return
                continue
            try:
                data = await context.io(_read, context.storage, spoken, played)
            except NotFound:
                # Another run has taken its place, or the job was deleted.
                return
            if data:
                yield data
                played += adts.seconds_of(data)
            if await context.db(preview.is_last, job.id, chunk):
                return
            chunk += 1


async def _news(watch: Watch) -> bool:
    """Wait until another chunk may be spoken; returns False if none will be."""
    async for event in watch:
        if _tells_of_speech(event):
            return True
    return False


def _tells_of_speech(event: EventRecord) -> bool:
    return event.type == "stage" and event.data["status"] == "completed" and event.data["stage"] == Stage.SYNTHESIZE


def _read(storage: Storage, spoken: SpokenChunk, played: float) -> bytes:
    """Read a chunk's speech, after the silence that is missing before it; empty if it has none.

    Parameters:
      played: Seconds of what was sent before.
    """
    if spoken.piece is None:
        return b""
    rows = json.loads(storage.get(spoken.speech))
    start = next(row["start"] for row in rows if row["seconds"] > 0)
    return adts.silence(start - played, preview.RATE) + storage.get(spoken.piece)
