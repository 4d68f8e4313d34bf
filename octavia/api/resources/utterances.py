"""``/jobs/{job_id}/utterances``: a job's text line by line, to read and to correct."""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http import bodies, checks
from octavia.api.http.bodies import answer
from octavia.api.http.checks import job_id_of
from octavia.api.http.headers import required_version
from octavia.api.http.identity import owner
from octavia.api.http.operations import operation
from octavia.api.http.paths import root_of
from octavia.api.resources.jobs import JOB_PROBLEMS, STATE_PROBLEMS, accepted
from octavia.api.resources.results import with_results
from octavia.api.schemas.answers import JobOut
from octavia.api.schemas.utterances import (
    EditRequest,
    EditsRequest,
    ListedEditRequest,
    UtteranceListOut,
    UtteranceOut,
    UtterancesRequest,
)
from octavia.api.submission import idempotency
from octavia.api.submission.room import NO_ROOM, check_submission
from octavia.api.submission.supported import check_voices
from octavia.errors import InputError
from octavia.jobs.access.idempotency import Overtaken
from octavia.jobs.access.keys import Scope
from octavia.jobs.lifecycle import edits
from octavia.jobs.lifecycle.edits import Changes
from octavia.jobs.tables import contents, queries
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import Stage
from octavia.text.utterances import Utterance

_EDIT_PROBLEMS: Final = (
    *("unknown_field", "utterance_not_found", "not_ready", "expired", "artifact_missing", "not_applicable"),
    *("precondition_required", "precondition_failed", "invalid_times", "voice_unavailable", "model_unavailable"),
)
_edit_operation = partial(
    operation,
    tag="Utterances",
    scope=Scope.WRITE,
    answers={202: JobOut},
    problems=(*JOB_PROBLEMS, *STATE_PROBLEMS, *NO_ROOM, *idempotency.PROBLEMS, *_EDIT_PROBLEMS),
    headers=("If-Match", "Idempotency-Key"),
)


@operation(
    "List utterances",
    tag="Utterances",
    scope=Scope.READ,
    query=UtterancesRequest,
    answers={200: UtteranceListOut},
    problems=(*JOB_PROBLEMS, "invalid_cursor", "not_ready", "expired", "artifact_missing"),
)
async def list_utterances(request: Request) -> Response:
    """``GET /jobs/{job_id}/utterances``: in pages; send the ETag as ``If-Match`` with a change."""
    query = checks.validate(UtterancesRequest, dict(request.query_params))
    context, job_id = context_of(request), job_id_of(request)
    job, published = await _published(context, job_id, owner(request))
    edited = await context.db(edits.of_job, job_id)
    start = _position(published, query.cursor)
    page = published[start : start + query.limit]
    shown = [(line, edited[line.id].applied_to(line) if line.id in edited else line) for line in page]
    return answer(
        UtteranceListOut(
            utterances=[_out(job, before, current) for before, current in shown],
            revision=job.revision,
            next_cursor=page[-1].id if start + query.limit < len(published) else None,
        ),
        headers={"etag": f'"{edits.version(job)}"'},
    )


@_edit_operation("Edit an utterance", body={"application/json": EditRequest})
async def mend_utterance(request: Request) -> Response:
    """``PATCH /jobs/{job_id}/utterances/{utterance_id}``: a new run redoes only what the change affects."""

    async def read(body: Request) -> tuple[BaseModel, Changes]:
        fields = checks.validate(EditRequest, await bodies.json_body(body))
        return fields, {request.path_params["utterance_id"]: fields.model_dump()}

    return await _edit(request, read)


@_edit_operation("Edit several utterances", body={"application/json": EditsRequest})
async def mend_utterances(request: Request) -> Response:
    """``PATCH /jobs/{job_id}/utterances``: all of them in one run, or none if one is wrong."""

    async def read(body: Request) -> tuple[BaseModel, Changes]:
        limit = bodies.limit_for(context_of(request).settings.max_text_chars)
        given = await bodies.json_body(body, limit)
        _check_each(given)
        fields = checks.validate(EditsRequest, given)
        changes = {edit.id: edit.model_dump(exclude={"id"}) for edit in fields.utterances}
        if len(changes) < len(fields.utterances):
            raise InputError(
                "An utterance is named more than once.",
                code="invalid_field",
                hint="Send one edit per utterance, with all of its changes.",
                field="utterances",
            )
        return fields, changes

    return await _edit(request, read)


async def _edit(request: Request, read: Callable[[Request], Awaitable[tuple[BaseModel, Changes]]]) -> Response:
    context, job_id = context_of(request), job_id_of(request)
    await context.db(queries.get, job_id, owner(request))  # before any error about the request's body
    async with idempotency.serve_once(request) as attempt:
        fields, changes = await read(attempt.request)
        fingerprint = idempotency.fingerprint_of(fields)
        if attempt.is_first:
            job, published = await _published(context, job_id, owner(request))
            seen = required_version(request.headers)
            _check_fields(job, changes)
            voices = {given["voice"] for given in changes.values() if given.get("voice")}
            await context.io(check_voices, context, job.result_language, voices)
            await check_submission(request)
            with suppress(Overtaken):  # the request that took the key over has the answer
                job = await context.db(
                    edits.edit_utterances,
                    job_id,
                    owner(request),
                    changes,
                    published,
                    of_revision=job.revision,
                    seen=seen,
                    jobs_in_flight=context.settings.jobs_in_flight,
                    within=attempt.recorder(fingerprint, accepted),
                )
                return accepted(job, root_of(request))
        return idempotency.replayed(await attempt.first_outcome(fingerprint), root_of(request))


async def _published(context: Context, job_id: UUID, owner: str) -> tuple[JobRecord, list[Utterance]]:
    """Read a job, and the utterances of its newest revision.

    Raises ``NotFound`` or ``Conflict`` as ``with_results``, or ``NotFound`` (``artifact_missing``).
    """
    job, file = await context.db(_file, job_id, owner)
    return job, await context.io(_read, context, file)


def _read(context: Context, file: ArtifactRecord) -> list[Utterance]:
    rows = json.loads(contents.read(context.storage, file))["utterances"]
    return [Utterance.from_dict({"chunk": int(row["id"].split("-")[0]), **row}) for row in rows]


def _file(db: Database, job_id: UUID, owner: str) -> tuple[JobRecord, ArtifactRecord]:
    """Return a job, and the result that has the most fields of its utterances."""
    job = with_results(db, job_id, owner)
    if Stage.TRANSLATE in job.stages:
        name = "translation.json"
    else:
        name = "transcript.json" if Stage.TRANSCRIBE in job.stages else "dub.json"
    return job, queries.artifact(db, job_id, name, job.revision)


def _position(utterances: Sequence[Utterance], cursor: str | None) -> int:
    """Return the index at which a page begins: after the last utterance of the page before."""
    if cursor is None:
        return 0
    for number, utterance in enumerate(utterances):
        if utterance.id == cursor:
            return number + 1
    raise InputError(
        "The cursor is not from a page of these utterances.",
        code="invalid_cursor",
        hint="Send next_cursor of the last page unchanged, or no cursor for the first page.",
        field="cursor",
    )


def _out(job: JobRecord, published: Utterance, current: Utterance) -> UtteranceOut:
    translated = Stage.TRANSLATE in job.stages
    return UtteranceOut(
        id=current.id,
        start=None if job.from_text else round(current.start, 3),
        end=None if job.from_text else round(current.end, 3),
        source=current.text,
        translation=current.translation if translated else None,
        speaker=current.speaker,
        voice=current.voice,
        confidence=None if current.confidence is None else round(current.confidence, 4),
        edited=list(current.edited),
        pending=replace(current, translation=published.translation) != published
        or (translated and current.translation != published.translation),
    )


def _check_each(given: Any) -> None:
    """Check each edit by itself, so that the error names the edit. Raises ``InputError`` as ``checks.validate``."""
    rows = given.get("utterances") if isinstance(given, dict) else None
    for number, row in enumerate(rows if isinstance(rows, list) else (), 1):
        try:
            checks.validate(ListedEditRequest, row)
        except InputError as error:
            error.message = f"Edit {number}: {error.message}"
            raise


def _check_fields(job: JobRecord, changes: Changes) -> None:
    """Refuse empty edits, and fields that this job does not have.

    Raises ``InputError`` (``missing_field`` or ``not_applicable``).
    """
    idle: tuple[str, ...] = ()
    if Stage.TRANSLATE not in job.stages:
        idle += ("translation",)
    if Stage.SYNTHESIZE not in job.stages:
        idle += ("voice",)
    if job.from_text:
        idle += ("start", "end")
    for id, given in changes.items():
        if not given:
            fields = ", ".join(EditRequest.model_fields)
            raise InputError(f"The edit of {id[:40]!r} is empty.", code="missing_field", hint=f"Give any of {fields}.")
        for name in idle:
            if given.get(name) is not None:
                raise InputError(
                    f"The utterances of this {job.type} job have no {name}.",
                    code="not_applicable",
                    hint="Leave it out.",
                    field=name,
                )
